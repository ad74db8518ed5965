// Days and times as they are typed and sent. Days are Viet Nam's, which is seven hours ahead of UTC all the year.

import { clock, today } from '../shared/days';
import { vietnameseDay as dayOf } from '../verify/dates';

export { dayOf, today };

/** The time of day in Viet Nam at an instant, `seconds` since 1970: `HH:MM`. */
export const timeOf = (seconds: number) => clock(seconds * 1000).slice(0, 5);

const now = () => Math.floor(Date.now() / 1000);
export const thisMinute = () => timeOf(now());

/** A day and a time in Viet Nam as an instant. */
export const instantOf = (day: string, time: string) => `${day}T${time}:00+07:00`;

/** How many days from one day to another. */
export const daysBetween = (from: string, to: string) => Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);

/** How many whole years somebody born so has lived on a day; of a birth date in part, as many as they may have. */
export function yearsOld(birth: string, on: string): number {
  const years = Number(on.slice(0, 4)) - Number(birth.slice(0, 4));
  return birth.length === 10 && on.slice(5) < birth.slice(5) ? years - 1 : years;
}

const two = (number: string) => number.padStart(2, '0');

/** `YYYY-MM-DD` if there is such a day. */
function real(year: string, month: string, day: string): string | undefined {
  const iso = `${year}-${two(month)}-${two(day)}`;
  const at = new Date(`${iso}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(iso) ? iso : undefined;
}

/** A day as people type it: 3/8/2021, 03-08-2021, 03082021, 2021-08-03. */
export function isoDay(text: string): string | undefined {
  const typed = text.trim();
  const written = /^(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4})$/.exec(typed) ?? /^(\d{2})(\d{2})(\d{4})$/.exec(typed);
  if (written) return real(written[3] ?? '', written[2] ?? '', written[1] ?? '');
  const iso = /^(\d{4})-(\d{2})-(\d{2})$/.exec(typed);
  return iso ? real(iso[1] ?? '', iso[2] ?? '', iso[3] ?? '') : undefined;
}

/** A birth date as people know it: a whole day, or 8/1960, or 1960. */
export function isoBirth(text: string): string | undefined {
  const typed = text.trim();
  if (/^(1[89]|20)\d\d$/.test(typed)) return typed;
  const month = /^(\d{1,2})[/.\- ](\d{4})$/.exec(typed) ?? /^(?:(\d{4})-(\d{2}))$/.exec(typed);
  if (month) {
    const [year, number] = month[1]?.length === 4 ? [month[1], month[2]] : [month[2], month[1]];
    return Number(number) >= 1 && Number(number) <= 12 ? `${year}-${two(number ?? '')}` : undefined;
  }
  return isoDay(typed);
}

/** A time as people type it: 8:05, 0805, 8h5. */
export function isoTime(text: string): string | undefined {
  const typed = /^(\d{1,2})\s*[:h.]\s*(\d{1,2})$/i.exec(text.trim()) ?? /^(\d{2})(\d{2})$/.exec(text.trim());
  if (!typed || Number(typed[1]) > 23 || Number(typed[2]) > 59) return undefined;
  return `${two(typed[1] ?? '')}:${two(typed[2] ?? '')}`;
}
