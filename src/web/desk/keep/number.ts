// Record numbers that the desk proposes: D, the day, this device, the how-manieth. Two devices of a site never propose the same.
import { keep, recall } from '../../shared/device';
import { daysBetween, today } from '../dates';

/** Without letters that are taken for digits. */
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';

function device(): string {
  const known = recall('desk.device');
  if (known && /^[A-Z]{4}$/.test(known)) return known;
  const random = crypto.getRandomValues(new Uint8Array(4));
  const made = [...random].map((byte) => LETTERS[byte % LETTERS.length]).join('');
  keep('desk.device', made);
  return made;
}

/** How many numbers of a day were used, by day. */
type Counts = Record<string, number>;
/** A dose that was begun on one day may be recorded on the next; nobody goes on with one after a week. */
const KEPT_DAYS = 7;

function counts(): Counts {
  try {
    const kept = JSON.parse(recall('desk.count') ?? '{}') as Counts;
    return Object.fromEntries(Object.entries(kept).filter(([day]) => daysBetween(day, today()) <= KEPT_DAYS));
  } catch {
    return {};
  }
}

/** What the numbers of a day begin with, on all devices: `D211127`. */
export const dayPrefix = (day = today()) => `D${day.slice(2).replaceAll('-', '')}`;

/** What this device's numbers of a day begin with. */
const ours = (day: string) => `${dayPrefix(day)}-${device()}-`;

/** The next number that is not `taken`; the same until it is used. */
export function proposed(taken: (record_no: string) => boolean = () => false): string {
  const day = today();
  for (let count = (counts()[day] ?? 0) + 1; ; count++) {
    const number = `${ours(day)}${String(count).padStart(3, '0')}`;
    if (!taken(number)) return number;
  }
}

/** Whether a number is one that this device proposed lately. */
export const isProposed = (record_no: string) => dayOf(record_no) !== undefined;

/** A number was used: if it was one that was proposed, the one after it is proposed from now on. */
export function use(record_no: string): void {
  const day = dayOf(record_no);
  if (day === undefined) return;
  const kept = counts();
  keep('desk.count', JSON.stringify({ ...kept, [day]: Math.max(kept[day] ?? 0, Number(record_no.slice(ours(day).length))) }));
}

/** The day for which this device proposed a number: today, or one of which it has a count. */
function dayOf(record_no: string): string | undefined {
  return [today(), ...Object.keys(counts())].find((day) => record_no.startsWith(ours(day)) && /^\d{3,6}$/.test(record_no.slice(ours(day).length)));
}

/** Whether the service refused a dose for a number that is another dose's: the next one is as good. */
export const isNumberGone = (code: string | undefined) => code === 'record_conflict' || code === 'record_voided';
