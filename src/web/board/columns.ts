// The columns of a table of places: what is shown, sorted and saved.
import type { Cell } from '../shared/csv';
import { decimal, percent, percentOf, whole } from '../shared/figures';
import type { Place } from './data';
import type { Measure } from './measures';
import { words } from './words';

export interface Column {
  name: string;
  label: string;
  value: (place: Place) => number | undefined;
  text: (value: number | undefined) => string;
  /** Under which measures it is shown, and under which also where there is no room for all of theirs. */
  of: readonly Measure[];
  narrow: readonly Measure[];
}

const tenth = (value: number) => Math.round(value * 10) / 10;

/** All columns but the place's name, in their order. */
export function columns(): Column[] {
  const count = (name: keyof Place & string, label: string, of: Measure[], narrow = of): Column => ({
    name,
    label,
    of,
    narrow,
    value: (place) => (typeof place[name] === 'number' ? place[name] : undefined),
    text: whole,
  });
  return [
    { name: 'coverage', label: words().fullPercent, of: ['coverage'], narrow: ['coverage'], value: (place) => percentOf(place.full, place.people), text: percent },
    count('full', words().full, ['coverage']),
    count('first', words().firstShort, ['coverage']),
    count('people', words().people, ['coverage'], []),
    count('registered', words().registered, ['waiting'], []),
    count('waiting', words().waiting, ['waiting']),
    count('called', words().called, ['waiting']),
    count('scheduled', words().scheduled, ['waiting']),
    count('vaccinated', words().vaccinated, ['waiting'], []),
    count('declined', words().declined, ['waiting'], []),
    { name: 'lag', label: words().lagDays, of: ['lag'], narrow: ['lag'], value: (place) => place.lag_days ?? undefined, text: (value) => decimal(value) },
    count('late_doses', words().lateDoses, ['lag']),
    count('doses', words().doses, ['coverage', 'lag'], ['lag']),
    count('corrections_open', words().open, ['lag'], []),
    count('corrections_overdue', words().overdue, ['lag'], []),
  ];
}

/** The table as a file has it. */
export function table(places: readonly Place[]): { head: string[]; rows: Cell[][] } {
  const all = columns();
  const cell = (value: number | undefined) => (value === undefined ? undefined : tenth(value));
  return {
    head: [words().code, words().place, ...all.map(({ label }) => label)],
    rows: places.map((place) => [place.code, place.name || words().unknownPlace, ...all.map((column) => cell(column.value(place)))]),
  };
}
