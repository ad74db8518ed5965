// Days and instants as certificates write them.
import { Malformed } from './reasons';

const DAY_MS = 86_400_000;
/** 0001-01-01 and 9999-12-31, in days since 1970-01-01. */
const [FIRST_DAY, LAST_DAY] = [-719_162, 2_932_896];

/** `YYYY-MM-DD` of a day number since 1970-01-01. */
export function dayOf(number: number | bigint): string {
  if (number < FIRST_DAY || number > LAST_DAY) throw new Malformed();
  return new Date(Number(number) * DAY_MS).toISOString().slice(0, 10);
}

/** The calendar day in Viet Nam (UTC+7) at an instant in seconds since 1970. */
export function vietnameseDay(seconds: number): string {
  return new Date((seconds + 7 * 3600) * 1000).toISOString().slice(0, 10);
}

/** `text` if it is `YYYY-MM-DD` and a day of the calendar. */
export function day(text: string): string {
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || !exists(text)) throw new Malformed();
  return text;
}

function exists(day: string): boolean {
  const at = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

/** A birth date: empty, `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, of the years 1900 ..= 2099. Gives it back. */
export function birth(text: string): string {
  if (text === '') return text;
  const [year, month, ofMonth, ...more] = text.split('-');
  const right =
    /^(19|20)\d\d$/.test(year ?? '') &&
    (month === undefined || /^(0[1-9]|1[0-2])$/.test(month)) &&
    (ofMonth === undefined || (/^\d\d$/.test(ofMonth) && exists(text))) &&
    more.length === 0;
  if (!right) throw new Malformed();
  return text;
}

const INSTANT =
  /^(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,]\d{1,9})?)?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)(?:\[[^\]]*\])*$/;

/** An instant with its offset, in whole seconds since 1970 (RFC 3339; offsets also written +02, +0200). */
export function instant(text: string): number {
  const match = INSTANT.exec(text);
  if (!match) throw new Malformed();
  const [, year, month, ofMonth, hour, minute = '00', second = '00', sign, offsetHours = '0', offsetMinutes = '0', offsetSeconds = '0'] = match;
  const date = day(`${year}-${month}-${ofMonth}`);
  // A leap second is the one before it.
  const at = Date.parse(`${date}T${hour}:${minute}:${second === '60' ? '59' : second}Z`);
  if (Number.isNaN(at) || hour === '24') throw new Malformed();
  const offset = Number(offsetHours) * 3600 + Number(offsetMinutes) * 60 + Number(offsetSeconds);
  return at / 1000 - (sign === '-' ? -offset : offset);
}

/** How many days later `to` is than `from`. */
export function daysBetween(from: string, to: string): number {
  return (Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS;
}
