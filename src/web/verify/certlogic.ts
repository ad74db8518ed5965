// CertLogic, the EU's language for rules about certificates, as src/certlogic evaluates it. Logic comes with signed rules that the
// service checked before it signed them; a budget bounds what it may do here all the same.
// Source: ehn-dcc-development/dgc-business-rules, certlogic/specification, version 1.3.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** The data are not what the logic expects, or it takes too long: the rule cannot be asked. */
export class Unanswerable extends Error {}

/** How many steps more may be taken. */
export interface Budget {
  steps: number;
}

/** An instant, in milliseconds since 1970: what dates are while logic is evaluated. */
class Instant {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

type Datum = Json | Instant;

/** True if the rule is met by `data`. */
export function isMet(logic: Json, data: Json, budget: Budget): boolean {
  return isTruthy(evaluate(logic, { data, budget }));
}

/** What the logic says of `data`; an instant is given as its text. */
export function valueOf(logic: Json, data: Json, budget: Budget): Json {
  return owned(evaluate(logic, { data, budget }));
}

interface Scope {
  data: Json;
  budget: Budget;
}

const MAX_DEPTH = 64;

function evaluate(logic: Json, scope: Scope, depth = MAX_DEPTH): Datum {
  spend(scope.budget, 1);
  if (depth === 0) throw new Unanswerable();
  if (logic === null || (typeof logic === 'number' && !Number.isInteger(logic))) throw new Unanswerable();
  if (typeof logic !== 'object') return logic;
  const inner = (node: Json | undefined) => evaluate(node ?? null, scope, depth - 1);
  if (Array.isArray(logic)) return logic.map((item) => paid(item, owned(inner(item)), scope.budget));
  const [operation, ...more] = Object.entries(logic);
  if (!operation || more.length > 0) throw new Unanswerable();
  const [operator, operands] = operation;
  if (operator === 'var') return at(scope.data, operands);
  if (!Array.isArray(operands)) throw new Unanswerable();
  const [first, second, third] = operands;
  switch (operator) {
    case 'if':
      return isTruthy(inner(first)) ? inner(second) : inner(third);
    case 'and': {
      let last: Datum = true;
      for (const operand of operands) {
        last = inner(operand);
        if (!isTruthy(last)) break;
      }
      return last;
    }
    case '!':
      return !isTruthy(inner(first));
    case '===':
      return equals(inner(first), inner(second));
    case 'in': {
      const [wanted, among] = [inner(first), inner(second)];
      if (!Array.isArray(among)) throw new Unanswerable();
      spend(scope.budget, Math.floor(among.length / 8));
      return among.some((item) => equals(wanted, item));
    }
    case '+': {
      const sum = integer(inner(first)) + integer(inner(second));
      if (!Number.isSafeInteger(sum)) throw new Unanswerable();
      return sum;
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return inOrder(operands.map((operand) => integer(inner(operand))), ORDERS[operator]);
    case 'before':
    case 'not-after':
    case 'after':
    case 'not-before':
      return inOrder(operands.map((operand) => milliseconds(inner(operand))), ORDERS[operator]);
    case 'plusTime': {
      const begin = inner(first);
      return new Instant(plus(begin instanceof Instant ? begin.ms : readInstant(text(begin)), integer(second ?? null), third));
    }
    case 'reduce': {
      let accumulator = owned(inner(third));
      const items = inner(first);
      if (items === null) return accumulator;
      if (!Array.isArray(items)) throw new Unanswerable();
      for (const current of items) {
        const within = { data: { accumulator, current, data: scope.data }, budget: scope.budget };
        accumulator = paid(second ?? null, owned(evaluate(second ?? null, within, depth - 1)), scope.budget);
      }
      return accumulator;
    }
    case 'extractFromUVCI': {
      const uvci = inner(first);
      if (uvci === null) return null;
      const parts = text(uvci).replace(/^URN:UVCI:/, '').split(/[/#:]/);
      return parts[integer(second ?? null)] ?? null;
    }
    case 'dccDateOfBirth':
      return new Instant(lastDay(text(inner(first))));
    default:
      throw new Unanswerable();
  }
}

const ORDERS = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
  before: (a: number, b: number) => a < b,
  'not-after': (a: number, b: number) => a <= b,
  after: (a: number, b: number) => a > b,
  'not-before': (a: number, b: number) => a >= b,
};

function inOrder(values: number[], holds: (a: number, b: number) => boolean): boolean {
  return values.every((value, at) => at === 0 || holds(values[at - 1] ?? NaN, value));
}

function spend(budget: Budget, steps: number): void {
  budget.steps -= steps;
  if (budget.steps < 0) throw new Unanswerable();
}

/** `value`, paid for by its size where it is a copy of data: of a literal or of what a `var` names. */
function paid(logic: Json, value: Json, budget: Budget): Json {
  const copied = typeof logic !== 'object' || (logic !== null && 'var' in logic);
  if (copied) spend(budget, sizeOf(value));
  return value;
}

function sizeOf(value: Json): number {
  if (value === null || typeof value !== 'object') return 1;
  return Object.values(value).reduce((size: number, item) => size + sizeOf(item), 1);
}

/** What a path names: `a.0.b`. Nothing is null. */
function at(data: Json, path: Json): Json {
  if (typeof path !== 'string') throw new Unanswerable();
  let found: Json | undefined = data;
  for (const step of path === '' ? [] : path.split('.')) {
    if (Array.isArray(found)) found = /^\d+$/.test(step) ? found[Number(step)] : undefined;
    else if (typeof found === 'object' && found !== null && Object.hasOwn(found, step)) found = found[step];
    else return null;
  }
  return found ?? null;
}

/** An empty text, array or object, 0, false and null are not. Source: CertLogic, "truthy and falsy". */
function isTruthy(datum: Datum): boolean {
  if (datum instanceof Instant) return true;
  if (typeof datum === 'object' && datum !== null) return Object.keys(datum).length > 0;
  return Boolean(datum);
}

/** One value, of one type: nothing is converted, and arrays and objects equal nothing. */
function equals(one: Datum, other: Datum): boolean {
  if (one instanceof Instant || other instanceof Instant) {
    return one instanceof Instant && other instanceof Instant && one.ms === other.ms;
  }
  return one === other && (typeof one !== 'object' || one === null);
}

function owned(datum: Datum): Json {
  return datum instanceof Instant ? new Date(datum.ms).toISOString().replace('.000Z', 'Z') : datum;
}

function integer(datum: Datum): number {
  if (!Number.isSafeInteger(datum)) throw new Unanswerable();
  return datum as number;
}

function milliseconds(datum: Datum): number {
  if (!(datum instanceof Instant)) throw new Unanswerable();
  return datum.ms;
}

function text(datum: Datum): string {
  if (typeof datum !== 'string') throw new Unanswerable();
  return datum;
}

const INSTANT = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)(?:Z|([+-])(\d\d):?(\d\d)?)?$/;

/** An RFC 3339 instant (offsets also `+02`, `+0200`; UTC where there is none), or a date, which begins at midnight UTC. */
function readInstant(written: string): number {
  if (written.length <= 10) return lastDay(written);
  const match = INSTANT.exec(written);
  if (!match) throw new Unanswerable();
  const [, date = '', clock = '', sign, hours = '0', minutes = '0'] = match;
  const [seconds, fraction = '0'] = clock.replace(',', '.').split('.');
  const ms = Date.parse(`${date}T${seconds?.length === 5 ? `${seconds}:00` : seconds}Z`);
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return exact(midnight(date) && ms) + Number(`0.${fraction}`) * 1000 - (sign === '-' ? -offset : offset);
}

/** Midnight of a date; of a month or a year alone that of its last day. */
function lastDay(written: string): number {
  const [, year, month, day] = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(written) ?? [];
  if (!year) throw new Unanswerable();
  if (day) return midnight(written);
  if (month && !/^(0[1-9]|1[0-2])$/.test(month)) throw new Unanswerable();
  // Day 0 of a month is the last one of the month before.
  return Date.UTC(Number(year), month ? Number(month) : 12, 0);
}

function midnight(date: string): number {
  const ms = exact(Date.parse(`${date}T00:00:00Z`));
  if (!new Date(ms).toISOString().startsWith(date)) throw new Unanswerable();
  return ms;
}

function exact(ms: number): number {
  if (Number.isNaN(ms)) throw new Unanswerable();
  return ms;
}

/** So many units of the calendar (UTC) later. A year after 29 February is 28 February. */
function plus(ms: number, amount: number, unit: Json | undefined): number {
  const date = new Date(ms);
  switch (unit) {
    case 'hour':
      return inRange(ms + amount * 3_600_000);
    case 'day':
      return inRange(ms + amount * 86_400_000);
    case 'month':
    case 'year': {
      const months = date.getUTCMonth() + (unit === 'year' ? amount * 12 : amount);
      const last = new Date(Date.UTC(date.getUTCFullYear(), months + 1, 0)).getUTCDate();
      const day = Date.UTC(date.getUTCFullYear(), months, Math.min(date.getUTCDate(), last));
      return inRange(day + (ms - Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate())));
    }
    default:
      throw new Unanswerable();
  }
}

/** Within the years that calendars reach. */
function inRange(ms: number): number {
  if (!(Math.abs(new Date(ms).getUTCFullYear()) <= 9999)) throw new Unanswerable();
  return ms;
}
