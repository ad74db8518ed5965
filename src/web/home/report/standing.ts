// How a correction stands, in words: its state, its deadline, its steps.
import { facilityName } from '../../shared/facilities.svelte';
import type { Schemas } from '../../api/client';
import type { Correction } from '../citizen.svelte';
import { instant } from '../../words/language.svelte';
import { words } from '../words/report';

type Mark = '' | 'good' | 'warn' | 'bad';
const MARKS: Record<string, Mark> = { accepted: 'good', rejected: 'bad', overdue: 'bad', checking: 'warn', open: 'warn' };

/** What a word of the API is called here; the word itself if it is a new one. */
function called(kind: 'kind' | 'status' | 'step', word: string): string {
  const known = words() as unknown as Record<string, string>;
  return known[`${kind}_${word}`] ?? word;
}

export const kindOf = ({ kind }: Correction): string => called('kind', kind);
export const statusOf = ({ status }: Correction): string => called('status', status);
export const markOf = ({ status }: Correction): Mark => MARKS[status] ?? '';
export const stepName = ({ what }: Schemas['Step']): string => called('step', what);

/** Who took a step. */
export function stepBy({ role, place }: Schemas['Step']): string {
  if (place) return facilityName(place);
  if (role === 'citizen') return words().by_citizen;
  return role === 'response' ? words().by_response : words().by_service;
}

/** Until when the facility is to answer, and how long that is; nothing once it has. */
export function deadlineOf(correction: Correction, now = Date.now() / 1000): string | undefined {
  if (correction.closed_at) return undefined;
  const hours = (correction.due_at - now) / 3600;
  const left = hours <= 0 ? words().duePast : hours < 48 ? words().dueHours(Math.max(1, Math.floor(hours))) : words().dueDays(Math.round(hours / 24));
  return `${words().due(instant(correction.due_at))} (${left})`;
}
