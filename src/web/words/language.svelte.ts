// In which language the page speaks: Vietnamese or English, the browser's choice until the person makes another.
import { keep, recall } from '../shared/device';

export type Language = 'vi' | 'en';

const STORED = 'language';

function preferred(): Language {
  const stored = recall(STORED);
  if (stored === 'vi' || stored === 'en') return stored;
  for (const tag of navigator.languages ?? [navigator.language]) {
    const primary = tag.toLowerCase().split('-')[0];
    if (primary === 'vi' || primary === 'en') return primary;
  }
  return 'vi';
}

const first = preferred();
document.documentElement.lang = first;
let current = $state<Language>(first);

export const language = {
  get now(): Language {
    return current;
  },
  /** Changes the language here and on every later visit. */
  choose(to: Language): void {
    current = to;
    document.documentElement.lang = to;
    keep(STORED, to);
  },
};

type Word = string | ((...values: never[]) => string);

/** The same keys in both languages: a text, or a function with the same arguments. */
type Same<W> = { readonly [K in keyof W]: W[K] extends (...values: infer A) => string ? (...values: A) => string : string };

/** The words of a room of the pages; call what comes back for those of the language that is spoken now. */
export function dictionary<const W extends Record<string, Word>>(vi: W, en: Same<W>): () => Same<W> {
  return () => (current === 'vi' ? (vi as unknown as Same<W>) : en);
}

/** A date of ISO 8601, whole or cut short, as people here read it: 10/10/1983, 10/1983, 1983. */
export function day(iso: string): string {
  return iso.split('-').reverse().join('/');
}

/** An instant in Viet Nam's time, `seconds` since 1970. */
export function instant(seconds: number): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: 'short', timeStyle: 'short', timeZone: 'Asia/Ho_Chi_Minh' };
  return new Intl.DateTimeFormat(current === 'vi' ? 'vi-VN' : 'en-GB', options).format(new Date(seconds * 1000));
}

/** A whole number, with separators. */
export function number(value: number): string {
  return new Intl.NumberFormat(current === 'vi' ? 'vi-VN' : 'en-GB').format(value);
}
