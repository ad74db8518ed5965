// The EU Digital COVID Certificate, schema 1.3, read as tolerantly as src/codec/dcc.rs: floats for dn and sd, tagged dates, null
// groups, a missing gn, keys of later versions.
import { type Item, Reader } from './cbor';
import type { Json } from './certlogic';
import type { Certificate, Statement } from './certificate';
import { type Says, count } from './compact';
import { birth, day, instant } from './dates';
import { Malformed } from './reasons';
import { withoutCheckCharacter } from './uvci';

const MAX_NAME_BYTES = 4 * 80;
/** `tr`: not detected, in SNOMED CT. */
const NOT_DETECTED = '260415000';

/** What a DCC says, with the country that its statement names: `co` is part of one kind of revocation entry. */
export type DccSays = Says & { country: string };

/** The DCC in `reader`. */
export function decode(reader: Reader): DccSays {
  let version: string | undefined;
  let name: string | undefined;
  let born: string | undefined;
  let entry: [group: string, fields: Reader] | undefined;
  reader.map((key, value) => {
    switch (textOf(key)) {
      case 'ver':
        version = text(value);
        break;
      case 'nam':
        name = decodeName(value);
        break;
      case 'dob':
        born = decodeBirth(value);
        break;
      case 'v':
      case 't':
      case 'r': {
        const fields = onlyEntry(value);
        if (fields && entry) throw new Malformed();
        if (fields) entry = [textOf(key), fields];
      }
    }
  });
  reader.end();
  if (version === undefined || !entry) throw new Malformed();
  const { uvci, statement, country } = decodeEntry(...entry);
  if (name === undefined || born === undefined) throw new Malformed();
  return { uvci, name, birth: born, statement, country };
}

function textOf(item: Item): string {
  if (item.is !== 'text') throw new Malformed();
  return item.value;
}

function text(value: Reader): string {
  return textOf(value.item());
}

/** The one entry of a group; none for a null group, which is as if it were not there. */
function onlyEntry(value: Reader): Reader | undefined {
  const item = value.item();
  if (item.is === 'null') return undefined;
  if (item.is !== 'array' || item.value !== 1) throw new Malformed();
  return value;
}

/** The name to show: as written, else the transliterated one with spaces. */
function decodeName(value: Reader): string {
  const names: Record<string, string> = {};
  value.map((key, field) => {
    if (key.is !== 'text' || !['fn', 'gn', 'fnt', 'gnt'].includes(key.value)) return;
    const item = field.scalar();
    if (item.is === 'null') return;
    if (item.is !== 'text' || item.bytes > MAX_NAME_BYTES) throw new Malformed();
    if (item.bytes > 0) names[key.value] = item.value;
  });
  const written = names['fn'] !== undefined || names['gn'] !== undefined;
  const parts = written ? [names['fn'], names['gn']] : [names['fnt'], names['gnt']].map((part) => part?.replaceAll('<', ' '));
  const name = parts.filter((part) => part !== undefined).join(' ');
  if (name.trim() === '') throw new Malformed();
  return name;
}

/** A text, or a text tagged 0 as CBOR's date type. */
function dateText(value: Reader): string {
  const item = value.item();
  return item.is === 'tag' && item.value === 0 ? text(value) : textOf(item);
}

function decodeBirth(value: Reader): string {
  // Some issuers write an instant.
  const [date = ''] = dateText(value).split('T');
  // The schema's pattern admits 00 for a month or a day, and issuers write it where nobody knows.
  return birth(date.length === 7 || date.length === 10 ? date.replace(/(-00)+$/, '') : date);
}

/** A day, written as such or as an instant whose day counts. */
function date(value: Reader): string {
  return day(dateText(value).split('T')[0] ?? '');
}

interface Entry {
  tg?: string;
  ci?: string;
  co?: string;
  is?: string;
  mp?: string;
  dn?: number;
  sd?: number;
  dt?: string;
  tr?: string;
  sc?: number;
  fr?: string;
  df?: string;
  du?: string;
}

function decodeEntry(group: string, fields: Reader): { uvci: string; statement: Statement; country: string } {
  const entry: Entry = {};
  fields.map((key, value) => {
    const name = textOf(key);
    switch (group + name) {
      case `${group}tg`:
      case `${group}ci`:
      case `${group}co`:
      case `${group}is`:
        entry[name as 'tg' | 'ci' | 'co' | 'is'] = text(value);
        break;
      case 'vmp':
      case 'ttr':
        entry[name as 'mp' | 'tr'] = text(value);
        break;
      case 'vdn':
      case 'vsd':
        entry[name as 'dn' | 'sd'] = count(value.item(), true);
        break;
      case 'vdt':
      case 'rfr':
      case 'rdf':
      case 'rdu':
        entry[name as 'dt' | 'fr' | 'df' | 'du'] = date(value);
        break;
      case 'tsc':
        entry.sc = instant(dateText(value));
    }
  });
  fields.end();
  if (entry.tg === undefined || entry.is === undefined) throw new Malformed();
  return { uvci: normalized(must(entry.ci)), statement: statement(group, entry), country: must(entry.co) };
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Malformed();
  return value;
}

function statement(group: string, entry: Entry): Statement {
  if (group === 'v') {
    const [dose, series, code, givenOn] = [must(entry.dn), must(entry.sd), must(entry.mp), must(entry.dt)];
    return { type: 'vaccination', dose, series, product: { code }, givenOn };
  }
  if (group === 't') return { type: 'test', negative: must(entry.tr) === NOT_DETECTED, sampledAt: must(entry.sc) };
  return { type: 'recovery', positiveOn: must(entry.fr), validFrom: must(entry.df), validUntil: must(entry.du) };
}

/** Upper case (of ASCII letters alone) and without a right check character; a wrong one stays, for then `#` is no separator. */
function normalized(uvci: string): string {
  const upper = uvci.replace(/[a-z]/g, (letter) => letter.toUpperCase());
  return withoutCheckCharacter(upper) ?? upper;
}

/** The DCC in `reader` as JSON, as it was signed: what rules are asked about. Dates lose their tag; what JSON cannot say is null. */
export function toJson(reader: Reader): Json {
  const item = reader.item();
  switch (item.is) {
    case 'int':
      return Number(item.value);
    case 'float':
      return Number.isFinite(item.value) ? item.value : null;
    case 'text':
    case 'bool':
      return item.value;
    case 'tag':
      return toJson(reader);
    case 'array':
      return Array.from({ length: item.value }, () => toJson(reader));
    case 'map': {
      const members: { [name: string]: Json } = Object.create(null);
      for (let left = item.value; left > 0; left--) {
        const key = reader.skip().item();
        const value = toJson(reader);
        if (key.is === 'text') members[key.value] = value;
      }
      return members;
    }
    default:
      return null;
  }
}

/** What a compact certificate is as a DCC, its transliterated name apart: `product` is its row of the rules' table. */
export function ofCompact({ uvci, name, birth, statement }: Certificate, product: { code: string; holder: string; prophylaxis: string }): Json {
  if (statement.type !== 'vaccination') throw new Malformed();
  const [family = '', ...given] = name.split(' ');
  const v = {
    tg: '840539006',
    vp: product.prophylaxis,
    mp: product.code,
    ma: product.holder,
    dn: statement.dose,
    sd: statement.series,
    dt: statement.givenOn,
    co: 'VN',
    is: 'Ministry of Health',
    ci: uvci,
  };
  return { ver: '1.3.0', nam: { fn: family, gn: given.join(' ') }, dob: birth, v: [v] };
}
