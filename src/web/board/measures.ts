// What places are coloured and compared by: a figure, and five steps of it.
import { decimal, percent, percentOf, short } from '../shared/figures';
import type { Place } from './data';
import { words } from './words';

export const MEASURES = ['coverage', 'waiting', 'lag'] as const;
export type Measure = (typeof MEASURES)[number];

/** A record of a dose is late after so many days; the service counts by the same. */
export const LATE_DAYS = 3;

/** The figure of a place; nothing where it is not known. */
export function figure(measure: Measure, place: Place): number | undefined {
  switch (measure) {
    case 'coverage':
      return percentOf(place.full, place.people);
    case 'waiting':
      return place.waiting;
    case 'lag':
      return place.lag_days ?? undefined;
  }
}

/** The figure as it stands in a tile. */
export function shown(measure: Measure, value: number | undefined): string {
  return measure === 'coverage' ? percent(value) : measure === 'waiting' ? short(value) : decimal(value);
}

/** The same with its unit, for the ear and for sentences. */
export function spoken(measure: Measure, value: number | undefined): string {
  if (value === undefined) return words().noFigure;
  return measure === 'lag' ? words().days(decimal(value)) : shown(measure, value);
}

/** 1, 2 or 5 times a power of ten, not above `value`. */
function round(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = value / power;
  return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

/** Where the second to the fifth step of a measure begin; for what has no limit, by the highest `values` there is. */
export function steps(measure: Measure, values: readonly number[]): number[] {
  if (measure === 'coverage') return [20, 40, 60, 80];
  if (measure === 'lag') return [1, LATE_DAYS, 7, 14];
  const highest = Math.max(...values, 20);
  // Places differ by powers of ten: equal steps would put most of them into the first.
  return [40, 16, 6, 2.4].map((part, at) => Math.max(round(highest / part), at + 1));
}

/** Which step, 1 ..= 5, a value is in; 0 if it is not known. */
export function stepOf(value: number | undefined, limits: readonly number[]): number {
  return value === undefined ? 0 : 1 + limits.filter((limit) => value >= limit).length;
}

/** Compares two figures of a measure: what needs doing more comes first, what is not known last. */
export function worse(measure: Measure, a: number | undefined, b: number | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return measure === 'coverage' ? a - b : b - a;
}

/** What the steps mean, from the lowest. */
export function legend(measure: Measure, limits: readonly number[]): { step: number; text: string }[] {
  const unit = (value: number) => (measure === 'coverage' ? `${value}%` : short(value));
  const texts = limits.map((limit, at) => {
    const before = limits[at - 1];
    return before === undefined ? words().upTo(unit(limit)) : words().between(unit(before), unit(limit));
  });
  const last = limits.at(-1);
  if (last !== undefined) texts.push(words().from(unit(last)));
  return texts.map((text, at) => ({ step: at + 1, text }));
}
