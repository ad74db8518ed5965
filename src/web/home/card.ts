// What a card says: the big word and the lines below the name, on the screen and in the saved picture.
import { day } from '../words/language.svelte';
import type { KeptCard } from './kept';
import { words } from './words/start';

/** The day of an instant in Viet Nam, as people here write it. */
export function dayOf(seconds: number): string {
  return day(new Date((seconds + 7 * 3600) * 1000).toISOString().slice(0, 10));
}

/** How many seconds a code is still good for. */
export const secondsLeft = (card: KeptCard): number => card.expiresAt - Date.now() / 1000;

/** `1/2 MŨI`, `ĐỦ MŨI`. */
export function cardWord(card: KeptCard): string {
  if (secondsLeft(card) < 0) return words().expired;
  return card.colour === 'green' ? words().full : words().doses(card.dose, card.series);
}

/** What stands below the name: what each line is, and its value. */
export function cardLines(card: KeptCard): [string, string][] {
  const lines: [string, string | undefined][] = [
    [words().born, day(card.birth)],
    [words().dosesTaken, `${card.dose}/${card.series}`],
    [words().product, card.product],
    [words().givenOn, card.givenAt === undefined ? undefined : dayOf(card.givenAt)],
    [words().until, dayOf(card.expiresAt)],
  ];
  return lines.filter((line): line is [string, string] => line[1] !== undefined);
}

/** A file's name for a card: the person's, in letters that every device takes. */
export function fileName(card: KeptCard, ending: string): string {
  const letters = card.name.normalize('NFD').replace(/\p{M}/gu, '').replace(/[đĐ]/g, 'd');
  return `the-xanh-${letters.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.${ending}`;
}
