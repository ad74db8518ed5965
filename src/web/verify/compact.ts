// The compact statement, as src/codec/compact.rs lays it down:
// [uvci: bstr .size 16, name: tstr, birth: day / [year] / [year, month] / null, dose, series, product: uint, given_on: day].
import { type Item, type Reader } from './cbor';
import type { Certificate } from './certificate';
import { birth, dayOf } from './dates';
import { hex } from './keys';
import { Malformed } from './reasons';

const MAX_NAME_BYTES = 4 * 80;
const UVCI_PREFIX = 'URN:UVCI:01:VN:';

export type Says = Pick<Certificate, 'uvci' | 'name' | 'birth' | 'statement'>;

/** The statement in `reader`, a whole array of exactly seven items. */
export function decode(reader: Reader): Says {
  const array = reader.item();
  if (array.is !== 'array' || array.value !== 7) throw new Malformed();
  const uvci = reader.item();
  if (uvci.is !== 'bytes' || uvci.value.length !== 16) throw new Malformed();
  const name = reader.item();
  if (name.is !== 'text' || name.bytes === 0 || name.bytes > MAX_NAME_BYTES) throw new Malformed();
  const born = decodeBirth(reader);
  const [dose, series] = [count(reader.item()), count(reader.item())];
  const product = reader.item();
  if (product.is !== 'int' || product.value < 0) throw new Malformed();
  const givenOn = decodeDay(reader.item());
  reader.end();
  return {
    uvci: UVCI_PREFIX + hex(uvci.value).toUpperCase(),
    name: name.value,
    birth: born,
    statement: { type: 'vaccination', dose, series, product: { number: product.value }, givenOn },
  };
}

function decodeBirth(reader: Reader): string {
  const first = reader.item();
  const part = () => {
    const item = reader.item();
    if (item.is !== 'int') throw new Malformed();
    return item.value.toString();
  };
  if (first.is === 'null') return '';
  if (first.is !== 'array') return decodeDay(first);
  if (first.value === 1) return birth(part());
  if (first.value !== 2) throw new Malformed();
  return birth(`${part()}-${part().padStart(2, '0')}`);
}

function decodeDay(item: Item): string {
  if (item.is !== 'int') throw new Malformed();
  return dayOf(item.value);
}

/** A whole number 1 ..= 255; with `float`, also one that is written as a float. */
export function count(item: Item, float = false): number {
  const right = item.is === 'int' || (float && item.is === 'float' && Number.isInteger(item.value));
  if (!right || item.value < 1 || item.value > 255) throw new Malformed();
  return Number(item.value);
}
