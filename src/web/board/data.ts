// What the overview asks of the service.
import { type Schemas, apiAs } from '../api/client';

export type Level = 'province' | 'district' | 'ward';
export type Place = Schemas['PlaceCount'];
export type Day = Schemas['DayCount'];
export type Facility = Schemas['FacilityCount'];
export interface Named {
  code: string;
  name: string;
}

/** What came, or the problem that came instead, thrown. */
async function got<T>(asked: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await asked;
  if (data === undefined) throw error;
  return data;
}

const api = apiAs('staff');

/** The counts of all places of a level, within one of the level above. */
export const places = (level: Level, within: string | undefined, signal: AbortSignal) =>
  got(api.GET('/v1/stats/places', { params: { query: { level, ...(within && { within }) } }, signal }));

/** Day by day from `from` to `to`, dates of ISO 8601, at most 400. */
export const days = (within: string | undefined, from: string, to: string, signal: AbortSignal) =>
  got(api.GET('/v1/stats/days', { params: { query: { from, to, ...(within && { within }) } }, signal }));

/** The sites of a province, or of the country. */
export const facilities = (within: string | undefined, signal: AbortSignal) =>
  got(api.GET('/v1/stats/facilities', { params: { query: { ...(within && { within }) } }, signal }));

/** All provinces by code. */
export const provinces = (): Promise<Named[]> => got(api.GET('/v1/reference/provinces'));

/** The districts of a province by code. */
export const districts = (province: string): Promise<Named[]> =>
  got(api.GET('/v1/reference/districts', { params: { query: { province } } }));
