// How old the device's knowledge is, in words.
import { DOUBT_AFTER, type State, WARN_AFTER } from './messages';
import { words } from './words';

/** Seconds since the service was last heard; absent if it never was. */
export function ageOf(state: State | undefined, now: number): number | undefined {
  return state?.syncedAt === undefined ? undefined : Math.max(0, now - state.syncedAt);
}

/** Its age in one short phrase. */
export function agePhrase(age: number | undefined): string {
  if (age === undefined) return words().noData;
  if (age < 180) return words().fresh;
  if (age < 2 * 3600) return words().ageMinutes(Math.floor(age / 60));
  if (age < 48 * 3600) return words().ageHours(Math.floor(age / 3600));
  return words().ageDays(Math.floor(age / 86_400));
}

/** A phone's clock may be off by this without a word, in seconds. */
const CLOCK_OFF = 12 * 3600;

/** What the officer is to know and do about it, the gravest first. */
export function warnings(state: State | undefined, now: number): { grave: boolean; text: string }[] {
  if (!state) return [];
  const found: { grave: boolean; text: string }[] = [];
  const age = ageOf(state, now);
  if (age === undefined && !state.syncing) found.push({ grave: true, text: words().warnNoData });
  if (age !== undefined && age > DOUBT_AFTER) found.push({ grave: true, text: words().warnVeryOld(Math.floor(age / 86_400)) });
  else if (age !== undefined && age > WARN_AFTER) found.push({ grave: false, text: words().warnOld(Math.floor(age / 3600)) });
  const off = Math.abs(state.ahead);
  if (off > CLOCK_OFF) found.push({ grave: true, text: words().warnClock(Math.max(1, Math.round(off / 86_400))) });
  if (state.trouble === 'storage') found.push({ grave: false, text: words().warnStorage });
  if (state.trouble === 'untrusted') found.push({ grave: true, text: words().warnUntrusted });
  return found;
}
