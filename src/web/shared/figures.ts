// Figures as people read them, in the page's language.
import { language } from '../words/language.svelte';

/** What stands for a number that is not known. */
export const UNKNOWN = '–';

/** Formats are slow to make, and a table has thousands of figures. */
const formats = new Map<string, Intl.NumberFormat>();

function formatted(value: number | null | undefined, style: 'decimal' | 'percent', digits: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const key = `${language.now} ${style} ${digits}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(language.now === 'vi' ? 'vi-VN' : 'en-GB', { style, maximumFractionDigits: digits });
    formats.set(key, format);
  }
  return format.format(value);
}

/** With at most `digits` after the point. */
export const decimal = (value: number | null | undefined, digits = 1) => formatted(value, 'decimal', digits);

/** A whole number, or what stands for one that is not known. */
export const whole = (value: number | null | undefined) => decimal(value, 0);

/** What stands for thousands and more where there is no room for zeros; a language's own short forms are read by few. */
const UNITS = {
  vi: [[1e9, ' tỷ'], [1e6, ' tr'], [1e3, 'k']],
  en: [[1e9, ' bn'], [1e6, ' m'], [1e3, 'k']],
} as const;

/** Short, for where there is no room: 12k, 1.2 m. Below 10,000 it is whole. */
export function short(value: number | null | undefined): string {
  const unit = value && value >= 10_000 ? UNITS[language.now].find(([least]) => value >= least) : undefined;
  if (!value || !unit) return whole(value);
  return `${decimal(value / unit[0], value / unit[0] < 100 ? 1 : 0)}${unit[1]}`;
}

/** `part` of `whole` in per cent; not known where there is no whole. */
export function percentOf(part: number, whole: number): number | undefined {
  return whole > 0 ? (100 * part) / whole : undefined;
}

/** Per cent, 0 ..= 100. Below 1 and above 99 with a digit more, and never rounded up: 0.4 is not 0, and 99.96 is not 100. */
export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  const scale = (value > 0 && value < 1) || (value > 99 && value < 100) ? 10 : 1;
  return formatted(Math.floor(value * scale) / scale / 100, 'percent', 1);
}

/** A province's name without what it is: everybody knows. */
export function shortName(name: string): string {
  return name.replace(/^(Tỉnh|Thành phố) /, '');
}
