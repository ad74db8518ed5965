// What is sent to the service about a correction: the correction itself, once however often the network fails, and its photo.
import type { Schemas } from '../../api/client';
import { type Correction, api } from '../citizen.svelte';

export type Given = { product?: string; given_at?: string; number?: number; lot?: string };
export type Asked = Omit<Schemas['CorrectionRequest'], 'given'> & { given?: Given };

/** Sends a correction. With the same `key` it is the same one. Throws what the API answers, or a network's `TypeError`. */
export async function sendCorrection(asked: Asked, key: string): Promise<Correction> {
  const params = { header: { 'Idempotency-Key': key } };
  const { data, error } = await api.POST('/v1/corrections', { params, body: asked as Schemas['CorrectionRequest'] });
  if (!data) throw error;
  return data;
}

/** Sends the photo of a correction, in the place of the one before it. */
export async function sendPhoto(id: string, photo: Blob): Promise<Correction> {
  const { data, error } = await api.PUT('/v1/corrections/{id}/photo', {
    params: { path: { id } },
    body: photo as never,
    bodySerializer: (body) => body as unknown as BodyInit,
    headers: { 'Content-Type': 'image/jpeg' },
  });
  if (!data) throw error;
  return data;
}

/** A day as the instant that the API takes: at eight in the morning in Viet Nam, and never later than now. */
export function instantOf(day: string): string {
  const morning = new Date(`${day}T08:00:00+07:00`);
  if (Number.isNaN(morning.getTime())) return day;
  return new Date(Math.min(morning.getTime(), Date.now())).toISOString();
}
