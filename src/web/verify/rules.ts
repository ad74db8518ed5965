// Which certificates are accepted, and which card they are, as data with a version: what src/policy checks, in its order.
import type { Statement } from './certificate';
import type { CountryRule } from './country';
import { daysBetween, vietnameseDay } from './dates';

/** The rules as `GET /v1/rules` gives them. */
export interface Rules {
  version: number;
  /** The table of the compact profile's product numbers. */
  products: { number: number; code: string; name: string; holder: string; prophylaxis: string; course: number }[];
  card: { days_after_last_dose: number; boosters_wait: boolean; complete_by: 'certificate' | 'product' };
  acceptance: {
    vaccination: {
      products?: string[] | null;
      green_only: boolean;
      max_age_days?: number | null;
      booster_max_age_days?: number | null;
    };
    test: { max_age_hours: number };
    recovery: { days_after_positive: number; max_age_days?: number | null };
  };
  /** Whose acceptance rules `certlogic` holds, and for which part of it. */
  country?: string;
  region?: string;
  certlogic?: CountryRule[];
  value_sets?: Record<string, string[]>;
}

type Dose = Statement & { type: 'vaccination' };
type Recovery = Statement & { type: 'recovery' };

/** The rule that `statement` does not meet at `now`, in seconds since 1970; nothing if it meets all. */
export function unmet(rules: Rules, statement: Statement, now: number): string | undefined {
  switch (statement.type) {
    case 'vaccination':
      return unmetByDose(rules, statement, now);
    case 'test':
      if (!statement.negative) return 'test_negative';
      return now > statement.sampledAt + rules.acceptance.test.max_age_hours * 3600 ? 'test_recent' : undefined;
    case 'recovery':
      return unmetByRecovery(rules, statement, now);
  }
}

function unmetByDose(rules: Rules, dose: Dose, now: number): string | undefined {
  const { vaccination } = rules.acceptance;
  const code = productCode(rules, dose);
  if (code === undefined) return 'product_known';
  if (dose.givenOn > vietnameseDay(now)) return 'dose_given';
  if (vaccination.products && !vaccination.products.includes(code)) return 'product_accepted';
  if (vaccination.green_only && !isGreen(rules, dose, now)) return 'course_complete';
  const { max_age_days, booster_max_age_days } = vaccination;
  if (max_age_days == null && booster_max_age_days == null) return undefined;
  const most = isBooster(rules, dose) ? booster_max_age_days : max_age_days;
  return most != null && daysSince(dose.givenOn, now) > most ? 'course_recent' : undefined;
}

function unmetByRecovery(rules: Rules, recovery: Recovery, now: number): string | undefined {
  const { days_after_positive, max_age_days } = rules.acceptance.recovery;
  const [today, age] = [vietnameseDay(now), daysSince(recovery.positiveOn, now)];
  if (today < recovery.validFrom) return 'recovery_begun';
  if (days_after_positive > 0 && age < days_after_positive) return 'recovery_begun';
  if (today > recovery.validUntil) return 'recovery_recent';
  return max_age_days != null && age > max_age_days ? 'recovery_recent' : undefined;
}

/** The colour of a statement that is accepted at `now`. */
export function cardOf(rules: Rules, statement: Statement, now: number): 'green' | 'yellow' {
  return statement.type === 'vaccination' && !isGreen(rules, statement, now) ? 'yellow' : 'green';
}

function isGreen(rules: Rules, dose: Dose, now: number): boolean {
  const { complete_by, days_after_last_dose, boosters_wait } = rules.card;
  const course = courseOf(rules, dose);
  const complete =
    complete_by === 'certificate' ? dose.dose >= dose.series : dose.dose > dose.series || dose.dose >= Math.max(dose.series, course);
  if (!complete || days_after_last_dose === 0) return complete;
  return (!boosters_wait && isBooster(rules, dose)) || daysSince(dose.givenOn, now) >= days_after_last_dose;
}

/** 2/1 after a course of one, 3/3 after a course of two. */
function isBooster(rules: Rules, dose: Dose): boolean {
  return dose.dose > dose.series || dose.dose > (courseOf(rules, dose) || 2);
}

/** How many doses the course of its product has; 0 for one that is not listed. */
function courseOf(rules: Rules, dose: Dose): number {
  const code = productCode(rules, dose);
  return rules.products.find((row) => row.code === code)?.course ?? 0;
}

/** The product's code: of the table where the statement has its number. */
export function productCode(rules: Rules, { product }: Dose): string | undefined {
  return 'code' in product ? product.code : rules.products.find((row) => row.number === product.number)?.code;
}

/** How many days ago `day` was in Viet Nam; negative for days to come. */
function daysSince(day: string, now: number): number {
  return daysBetween(day, vietnameseDay(now));
}
