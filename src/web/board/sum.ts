// Counts of several places added up.
import type { Place } from './data';

/** All of them as one place. Its delay is the longest: medians do not add up. */
export function sum(places: readonly Place[]): Place {
  const [first] = places;
  const counts = [
    'registered', 'waiting', 'called', 'scheduled', 'vaccinated', 'declined', 'people', 'first', 'full', 'doses', 'late_doses',
    'corrections_open', 'corrections_overdue',
  ] as const;
  const all = Object.fromEntries(counts.map((name) => [name, places.reduce((total, place) => total + (place[name] ?? 0), 0)]));
  const lags = places.map(({ lag_days }) => lag_days ?? undefined).filter((lag) => lag !== undefined);
  return { code: first?.code ?? '', name: first?.name ?? '', lag_days: lags.length > 0 ? Math.max(...lags) : null, ...all } as Place;
}
