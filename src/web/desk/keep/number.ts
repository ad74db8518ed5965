// Record numbers that the desk proposes: D, the day, this device, the how-manieth. Two devices of a site never propose the same.
import { keep, recall } from '../../shared/device';
import { today } from '../dates';

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

const used = (day: string) => {
  const [on, count] = (recall('desk.count') ?? '').split(' ');
  return on === day ? Number(count) || 0 : 0;
};

/** What the numbers of a day begin with, on all devices: `D211127`. */
export const dayPrefix = (day = today()) => `D${day.slice(2).replaceAll('-', '')}`;

/** The next number; the same until it is used. */
export function proposed(): string {
  const day = today();
  return `${dayPrefix(day)}-${device()}-${String(used(day) + 1).padStart(3, '0')}`;
}

/** A number was used: the next one is proposed from now on, if it was the one proposed. */
export function use(record_no: string): void {
  if (record_no === proposed()) keep('desk.count', `${today()} ${used(today()) + 1}`);
}
