// What the screen says of a verdict: the card's colour, a big word, and a sentence where there is something to do.
import type { Verdict } from '../verify/verify';
import { day, instant } from '../words/language.svelte';
import type { Judge } from './messages';
import { words } from './words';

/** One scanned code and what came of it so far. */
export interface Answer {
  code: number;
  verdict: Verdict;
  by: Judge;
  /** What the device had said, where the server said something else. */
  corrected: boolean;
  /** `asking` until the server answered or could not be reached. */
  server: 'asking' | 'agrees' | 'alone';
  /** The device's knowledge is so old that its yes is none. */
  stale: boolean;
  product?: string | undefined;
}

/** The card to show: a yes by outdated knowledge, or of what the registry does not know, is to be checked. */
export function cardOf({ verdict, stale }: Answer): Verdict['card'] {
  return (stale && verdict.result === 'accepted') || verdict.registry === 'unknown' ? 'amber' : verdict.card;
}

/** The big word. */
export function wordOf(answer: Answer): string {
  const { certificate } = answer.verdict;
  switch (cardOf(answer)) {
    case 'green':
      return words().valid;
    case 'yellow':
      return words().doses(certificate?.dose ?? 1, certificate?.series ?? 2);
    case 'red':
      return words().invalid;
    case 'amber':
      return words().check;
  }
}

/** What to do about it; nothing for a plain yes. `age`: of the device's knowledge, in seconds. */
export function adviceOf(answer: Answer, age: number): string | undefined {
  const { verdict } = answer;
  if (verdict.result === 'unconfirmed') return words().unsure;
  if (verdict.registry === 'unknown') return words().unregistered;
  if (cardOf(answer) === 'amber') return words().stale(Math.floor(age / 86_400));
  if (verdict.reason === undefined) return undefined;
  const rule = words()[`rule_${verdict.rule}` as 'rule_dose_given'] as string | undefined;
  return rule ?? words()[`reason_${verdict.reason}`];
}

/** What the card says of its holder: [what, its value], in the order in which an officer compares. */
export function factsOf({ verdict, product }: Answer): [string, string][] {
  const facts = verdict.certificate;
  if (!facts) return [];
  const rows: [string, string | undefined][] = [
    [words().born, facts.birth && day(facts.birth)],
    [words().dosesTaken, facts.dose === undefined ? undefined : `${facts.dose}/${facts.series}`],
    [words().product, product ?? facts.product],
    [words().givenOn, facts.given_on && day(facts.given_on)],
    [words().sampledAt, facts.sampled_at === undefined ? undefined : instant(facts.sampled_at)],
    [words().validUntil, facts.valid_until && day(facts.valid_until)],
    [words().issuer, facts.issuer === 'VN' ? undefined : facts.issuer],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined);
}
