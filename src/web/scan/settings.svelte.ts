// How this device's officer likes the page, and how many of each verdict there were today: kept here, with nothing of anybody.
import { keep, recall } from '../shared/device';
import type { Verdict } from '../verify/verify';

type Card = Verdict['card'];

function stored<T extends object>(name: string, initial: T): T {
  try {
    return { ...initial, ...(JSON.parse(recall(name) ?? '{}') as Partial<T>) };
  } catch {
    return initial;
  }
}

const SETTINGS = 'scan.settings';
const COUNTS = 'scan.counts';

export const settings = $state(stored(SETTINGS, { large: false, contrast: false, left: false, sound: true, buzz: true }));

/** Keeps the settings as they are now. */
export function keepSettings(): void {
  keep(SETTINGS, JSON.stringify(settings));
}

const today = () => new Date().toDateString();
const none = () => ({ day: today(), green: 0, yellow: 0, red: 0, amber: 0 });

export const counts = $state(stored(COUNTS, none()));
if (counts.day !== today()) Object.assign(counts, none());

/** One more of this card; of one fewer if the server corrected the device. */
export function count(card: Card, instead?: Card): void {
  if (counts.day !== today()) Object.assign(counts, none());
  counts[card] += 1;
  if (instead && counts[instead] > 0) counts[instead] -= 1;
  keep(COUNTS, JSON.stringify(counts));
}

/** Counts from nothing again. */
export function resetCounts(): void {
  Object.assign(counts, none());
  keep(COUNTS, JSON.stringify(counts));
}
