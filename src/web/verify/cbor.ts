// CBOR read in place, strictly and bounded, as src/codec/cbor.rs does it: definite lengths, no duplicate keys, nothing behind
// the end. Source: RFC 8949.
import { Malformed } from './reasons';

/** How deep arrays, maps and tags may nest. */
const MAX_DEPTH = 16;
/** How many entries an array or map may have. */
const MAX_ENTRIES = 128;

/** One item's beginning, or the whole of it where it has no content of its own. */
export type Item =
  | { is: 'int'; value: number | bigint }
  | { is: 'bytes'; value: Uint8Array<ArrayBuffer> }
  | { is: 'text'; value: string; bytes: number }
  | { is: 'array'; value: number }
  | { is: 'map'; value: number }
  | { is: 'tag'; value: number | bigint }
  | { is: 'float'; value: number }
  | { is: 'bool'; value: boolean }
  | { is: 'null' }
  | { is: 'other' };

const OTHER: Item = { is: 'other' };
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MAX_INT = 2n ** 63n - 1n;

/** Reads items from the front of its bytes. What is not well-formed throws [`Malformed`]. */
export class Reader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array<ArrayBuffer>, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** Another reader at the same place. */
  clone(): Reader {
    return new Reader(this.#bytes, this.#at, this.#end);
  }

  /** Fails unless everything was read. */
  end(): void {
    if (this.#at !== this.#end) throw new Malformed();
  }

  /** The next item's beginning. */
  item(): Item {
    const initial = this.#uint(1);
    const [major, info] = [initial >> 5, initial & 0x1f];
    if (major === 7) return this.#simple(info);
    const value = info < 24 ? info : info < 27 ? this.#uint(1 << (info - 24)) : info === 27 ? this.#long() : undefined;
    if (value === undefined) throw new Malformed(); // reserved, or of indefinite length
    switch (major) {
      case 0:
        return value > MAX_INT ? OTHER : { is: 'int', value };
      case 1:
        return value > MAX_INT ? OTHER : { is: 'int', value: typeof value === 'bigint' ? -1n - value : -1 - value };
      case 2:
        return { is: 'bytes', value: this.#take(value) };
      case 3:
        return this.#text(this.#take(value));
      case 4:
        return { is: 'array', value: this.#entries(value, 1) };
      case 5:
        return { is: 'map', value: this.#entries(value, 2) };
      default:
        return { is: 'tag', value };
    }
  }

  /** The next item, whole: checked and passed over. Returns a reader of it alone. */
  skip(depth = MAX_DEPTH): Reader {
    if (depth === 0) throw new Malformed();
    const begin = this.#at;
    const item = this.item();
    if (item.is === 'array') {
      for (let left = item.value; left > 0; left--) this.skip(depth - 1);
    } else if (item.is === 'map') {
      const keys = new Keys();
      for (let left = item.value; left > 0; left--) {
        keys.add(this.skip(depth - 1));
        this.skip(depth - 1);
      }
    } else if (item.is === 'tag') {
      this.skip(depth - 1);
    }
    return new Reader(this.#bytes, begin, this.#at);
  }

  /** The next item if it is a map: calls `entry` with each key and a reader of its value alone. Keys that stand twice are refused. */
  map(entry: (key: Item, value: Reader) => void): void {
    const map = this.item();
    if (map.is !== 'map') throw new Malformed();
    const keys = new Keys();
    for (let left = map.value; left > 0; left--) {
      const key = keys.add(this.skip());
      entry(key, this.skip());
    }
  }

  /** The item if it is no array, map or tag; `other` for one of those. For readers of one value alone. */
  scalar(): Item {
    const item = this.item();
    return item.is === 'array' || item.is === 'map' || item.is === 'tag' ? OTHER : item;
  }

  /** True if both are written in the same bytes. */
  same(other: Reader): boolean {
    const length = this.#end - this.#at;
    if (length !== other.#end - other.#at) return false;
    for (let i = 0; i < length; i++) {
      if (this.#bytes[this.#at + i] !== other.#bytes[other.#at + i]) return false;
    }
    return true;
  }

  #simple(info: number): Item {
    if (info === 20 || info === 21) return { is: 'bool', value: info === 21 };
    if (info === 22 || info === 23) return { is: 'null' };
    if (info < 20) return OTHER;
    if (info === 24) {
      if (this.#uint(1) < 32) throw new Malformed(); // RFC 8949 §3.3: these have a shorter form only
      return OTHER;
    }
    if (info === 25) return { is: 'float', value: half(this.#uint(2)) };
    if (info === 26) return { is: 'float', value: this.#view(4).getFloat32(0) };
    if (info === 27) return { is: 'float', value: this.#view(8).getFloat64(0) };
    throw new Malformed();
  }

  #text(bytes: Uint8Array<ArrayBuffer>): Item {
    try {
      return { is: 'text', value: utf8.decode(bytes), bytes: bytes.length };
    } catch {
      throw new Malformed();
    }
  }

  /** A count of entries, each of at least `items` bytes, that the rest can hold. */
  #entries(count: number | bigint, items: number): number {
    if (count > MAX_ENTRIES || Number(count) * items > this.#end - this.#at) throw new Malformed();
    return Number(count);
  }

  #uint(length: number): number {
    let value = 0;
    for (const byte of this.#take(length)) value = value * 256 + byte;
    return value;
  }

  /** Eight bytes; a number where it is exact as one. */
  #long(): number | bigint {
    const value = this.#view(8).getBigUint64(0);
    return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  #view(length: number): DataView {
    const bytes = this.#take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(length: number | bigint): Uint8Array<ArrayBuffer> {
    if (length > this.#end - this.#at) throw new Malformed();
    const from = this.#at;
    this.#at += Number(length);
    return this.#bytes.subarray(from, this.#at);
  }
}

/** The keys of a map seen so far. */
class Keys {
  readonly #seen: Reader[] = [];

  /** The key in `written`, unless it was there before in whatever way it is written. */
  add(written: Reader): Item {
    const key = written.clone().item();
    for (const other of this.#seen) {
      if (other.same(written) || equal(other.clone().item(), key)) throw new Malformed();
    }
    this.#seen.push(written);
    return key;
  }
}

/** True if two scalars are the same, written in two ways: 100 in two bytes and 100 in three. */
function equal(a: Item, b: Item): boolean {
  if (a.is !== b.is) return false;
  switch (a.is) {
    case 'int':
    case 'bool':
    case 'text':
      return a.value === (b as typeof a).value;
    case 'bytes':
      return new Reader(a.value).same(new Reader((b as typeof a).value));
    case 'null':
      return true;
    default:
      return false;
  }
}

/** An IEEE 754 half. Source: RFC 8949 appendix D. */
function half(bits: number): number {
  const [exponent, mantissa] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  const magnitude =
    exponent === 0
      ? mantissa * 2 ** -24
      : exponent === 31
        ? mantissa === 0
          ? Infinity
          : NaN
        : (mantissa + 1024) * 2 ** (exponent - 25);
  return bits >> 15 === 1 ? -magnitude : magnitude;
}
