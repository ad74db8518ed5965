// Which certificates are accepted, as data with a version: what src/policy.rs checks, in its order.
import type { Statement } from './certificate';
import { vietnameseDay } from './dates';

export interface Rules {
  version: number;
  /** The table of the compact profile's product numbers. */
  products: { number: number; code: string; name: string }[];
  /** For how long after its sample a negative test is accepted, in hours. */
  testMaxAgeHours: number;
}

/** The rule that `statement` does not meet at `now`, in seconds since 1970; nothing if it meets all. */
export function unmet(rules: Rules, statement: Statement, now: number): string | undefined {
  const today = vietnameseDay(now);
  switch (statement.type) {
    case 'vaccination':
      if ('number' in statement.product && productCode(rules, statement) === undefined) return 'product_known';
      return statement.givenOn > today ? 'dose_given' : undefined;
    case 'test':
      if (!statement.negative) return 'test_negative';
      return now > statement.sampledAt + rules.testMaxAgeHours * 3600 ? 'test_recent' : undefined;
    case 'recovery':
      if (today < statement.validFrom) return 'recovery_begun';
      return today > statement.validUntil ? 'recovery_recent' : undefined;
  }
}

/** The product's code: of the table where the statement has its number. */
export function productCode(rules: Rules, statement: Statement & { type: 'vaccination' }): string | undefined {
  const { product } = statement;
  return 'code' in product ? product.code : rules.products.find((row) => row.number === product.number)?.code;
}
