// People found by what somebody types: words without marks, digits of a number.
import { plain } from '../shared/plain';

/** The digits of a number as it is compared: without spaces and dots, +84 and 84 as 0. */
export function digits(text: string): string {
  const bare = text.replace(/[^\d+]/g, '');
  return bare.replace(/^(?:\+84|0084|84(?=\d{9}))0?/, '0').replace(/\D/g, '');
}

/** What of a person is looked through, made once. */
export interface Indexed {
  /** The words of the name, without marks. */
  words: string[];
  /** The phone, the identity number's end, record numbers: without marks, in small letters. */
  numbers: string[];
}

export function indexed(name: string, numbers: (string | undefined)[]): Indexed {
  const kept = numbers.filter((number) => number !== undefined && number !== '') as string[];
  const forms = kept.flatMap((number) => (/[a-z]/i.test(number) ? [plain(number)] : [digits(number)]));
  return { words: plain(name).split(/[\s-]+/).filter(Boolean), numbers: forms };
}

/** Whether a text is a number, or the beginning of one. */
export const isNumber = (query: string) => /^[+\d][\d\s.()-]*$/.test(query.trim()) && digits(query).length > 0;

/** True if `query` means somebody: its words begin words of the name, in their order; or its digits stand in one of the numbers. */
export function means(query: string, { words, numbers }: Indexed): boolean {
  const text = plain(query);
  if (text === '') return true;
  if (isNumber(query)) {
    const wanted = digits(query);
    return numbers.some((number) => number.includes(wanted));
  }
  let at = 0;
  for (const part of text.split(/[\s-]+/)) {
    while (at < words.length && !words[at]?.startsWith(part)) at += 1;
    if (at === words.length) return numbers.some((number) => number.startsWith(text));
    at += 1;
  }
  return true;
}
