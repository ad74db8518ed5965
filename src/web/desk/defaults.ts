// What stays from one dose of a site to the next: product, lot, its last day, who vaccinates. Nothing of those who are vaccinated.
import { keep, recall } from '../shared/device';
import { type Defaults, type Draft, KEPT } from './draft';

const name = (facility: string) => `desk.defaults.${facility}`;

/** What was kept for a facility. */
export function defaultsOf(facility: string): Defaults {
  const none = { product: '', lot: '', lot_expires_on: '', vaccinator: '' };
  try {
    return { ...none, ...(JSON.parse(recall(name(facility)) ?? '{}') as Partial<Defaults>) };
  } catch {
    return none;
  }
}

/** Keeps what was typed for the next dose. */
export function keepDefaults(facility: string, { values }: Draft): void {
  keep(name(facility), JSON.stringify(Object.fromEntries(KEPT.map((field) => [field, values[field]]))));
}
