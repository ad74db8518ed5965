// A dose as it is typed, what is wrong with it, and what is sent.
import type { Schemas } from '../api/client';
import { day } from '../words/language.svelte';
import { dayOf, daysBetween, instantOf, isoBirth, isoDay, isoTime, thisMinute, timeOf, today, yearsOld } from './dates';
import { digits } from './fold';
import type { DoseRecord } from './keep/queue.svelte';
import { words } from './record/words';

/** A dose that the person has had. */
export interface Before {
  product: string;
  given_at: number;
  number: number;
}

/** The fields, by the names that the service has for them. */
export const FIELDS = [
  'person.name', 'person.birth', 'person.sex', 'person.phone', 'person.identity',
  'product', 'lot', 'lot_expires_on', 'vaccinator', 'number', 'given_on', 'given_time', 'record_no',
] as const;
export type Field = (typeof FIELDS)[number];

/** What was typed, as it was typed. */
export interface Draft {
  /** Somebody whom the service knows: their data is not typed here. */
  id?: string;
  /** Their identity number's end, to compare with a card. */
  ends?: string;
  /** The doses that they have had, as far as is known. */
  before: Before[];
  /** A dose on the device that this one is in the place of. */
  seq?: number;
  values: Record<Field, string>;
}

/** What stays from one dose to the next. */
export const KEPT = ['product', 'lot', 'lot_expires_on', 'vaccinator'] as const satisfies Field[];
export type Defaults = Record<(typeof KEPT)[number], string>;

/** A dose to be recorded now. */
export function newDraft(defaults: Defaults, record_no: string): Draft {
  const person = { 'person.name': '', 'person.birth': '', 'person.sex': '', 'person.phone': '', 'person.identity': '' };
  const now = { given_on: day(today()), given_time: thisMinute() };
  return { before: [], values: { ...person, ...defaults, ...now, number: '1', record_no } };
}

/** A dose that was refused, to be mended. */
export function draftOf(record: DoseRecord, seq: number): Draft {
  const at = Date.parse(record.given_at) / 1000;
  const { person } = record;
  const values: Draft['values'] = {
    'person.name': person.name,
    'person.birth': day(person.birth),
    'person.sex': person.sex ?? '',
    'person.phone': person.phone ?? '',
    'person.identity': person.identity ?? '',
    product: record.product,
    lot: record.lot,
    lot_expires_on: record.lot_expires_on ? day(record.lot_expires_on) : '',
    vaccinator: record.vaccinator ?? '',
    number: String(record.number),
    given_on: day(dayOf(at)),
    given_time: timeOf(at),
    record_no: record.record_no,
  };
  return { seq, before: [], values, ...(person.id != null && { id: person.id }) };
}

/** What is sent of a draft without errors. */
export function recordOf({ id, values }: Draft): DoseRecord {
  const said = (field: Field) => values[field].trim() || undefined;
  const person = { name: values['person.name'].trim().replace(/\s+/g, ' '), birth: isoBirth(values['person.birth']) ?? '' };
  const more = { sex: said('person.sex'), phone: said('person.phone'), identity: said('person.identity') };
  const expiry = isoDay(values.lot_expires_on);
  return {
    record_no: values.record_no.trim(),
    // Of somebody whom the service knows the numbers stay there: a phone in a list may be a relative's.
    person: id === undefined ? { ...person, ...defined(more) } : { ...person, id },
    product: values.product,
    lot: values.lot.trim().toUpperCase(),
    given_at: instantOf(isoDay(values.given_on) ?? '', isoTime(values.given_time) ?? ''),
    number: Number(values.number),
    ...defined({ lot_expires_on: expiry, vaccinator: said('vaccinator') }),
  };
}

const defined = <T extends Record<string, string | undefined>>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: string };

/** A sentence beside a field. What is an error cannot be sent; what is only remarkable can. */
export interface Remark {
  grave: boolean;
  text: string;
}
export type Remarks = Partial<Record<Field, Remark>>;

/** What is wrong or remarkable in a draft. */
export function remarks(draft: Draft, products: Schemas['ProductDocument'][]): Remarks {
  const found: Remarks = {};
  const error = (field: Field, text: string) => (found[field] ??= { grave: true, text });
  const hint = (field: Field, text: string) => (found[field] ??= { grave: false, text });
  const { values } = draft;
  const said = words();
  const given = isoDay(values.given_on);
  const time = isoTime(values.given_time);
  if (!given) error('given_on', said.badDay);
  else if (given > today()) error('given_on', said.future);
  else if (given < today()) hint('given_on', said.daysAgo(daysBetween(given, today())));
  if (!time) error('given_time', said.badTime);
  else if (given === today() && time > thisMinute()) hint('given_time', said.laterToday);

  if (draft.id === undefined) person(values, given ?? today(), error, hint);

  const product = products.find(({ code }) => code === values.product);
  if (!product) error('product', said.noProduct);
  else if (given && given < product.exists_since) error('given_on', said.beforeProduct);
  if (values.lot.trim() === '') error('lot', said.noLot);
  else if (values.lot.trim().length > 40) error('lot', said.tooLong);
  const expiry = isoDay(values.lot_expires_on);
  if (values.lot_expires_on.trim() !== '' && !expiry) error('lot_expires_on', said.badDay);
  else if (expiry && given && expiry < given) hint('lot_expires_on', said.expired);
  if (values.vaccinator.trim().length > 100) error('vaccinator', said.tooLong);
  if (!/^[1-9]$/.test(values.number)) error('number', said.badNumber);
  else if (draft.before.length > 0 && Number(values.number) !== draft.before.length + 1) hint('number', said.oddNumber(draft.before.length));
  const last = draft.before.at(-1);
  if (last && product && given) {
    const days = daysBetween(dayOf(last.given_at), given);
    if (days < product.min_interval_days) hint('given_on', said.tooSoon(days, product.min_interval_days));
    const other = products.find(({ code }) => code === last.product);
    if (other && other.code !== product.code) hint('product', said.mixed(other.name));
  }
  if (values.record_no.trim() === '') error('record_no', said.noNumber);
  else if (values.record_no.trim().length > 64) error('record_no', said.tooLong);
  return found;
}

type Say = (field: Field, text: string) => void;

function person(values: Draft['values'], on: string, error: Say, hint: Say): void {
  const said = words();
  const name = values['person.name'].trim();
  if (name === '') error('person.name', said.noName);
  else if (/[^\p{L}\p{M}\s'’.-]/u.test(name)) error('person.name', said.badName);
  else if (!/\s/.test(name)) hint('person.name', said.oneWord);
  const birth = isoBirth(values['person.birth']);
  if (!birth) error('person.birth', values['person.birth'].trim() === '' ? said.noBirth : said.badBirth);
  else if (birth > on) error('person.birth', said.future);
  else if (yearsOld(birth, on) > 110) hint('person.birth', said.veryOld);
  else if (yearsOld(birth, on) < 12) hint('person.birth', said.veryYoung(yearsOld(birth, on)));
  const phone = values['person.phone'].trim();
  if (phone !== '' && !/^0\d{9,10}$/.test(digits(phone))) error('person.phone', said.badPhone);
  const identity = values['person.identity'].replace(/[\s.-]/g, '');
  if (identity !== '' && !/^(\d{9}|\d{12})$/.test(identity)) error('person.identity', said.badIdentity(identity.length));
  else if (phone === '' && identity === '') hint('person.identity', said.noNumbers);
}
