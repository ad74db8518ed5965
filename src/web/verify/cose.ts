// COSE_Sign1 read in place. Source: RFC 9052 §4.2, §4.4.
import { type Item, Reader } from './cbor';
import { Malformed } from './reasons';

/** A COSE_Sign1, unproved. */
export interface Sign1 {
  /** The protected header as received: what was signed. An empty map is the zero-length string. */
  protected: Uint8Array<ArrayBuffer>;
  /** What stands in both headers, the protected one first. */
  headers: [Map<number | bigint | string, Item>, Map<number | bigint | string, Item>];
  /** Absent if there is none or it is no integer. */
  alg: number | bigint | undefined;
  kid: Uint8Array<ArrayBuffer> | undefined;
  payload: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/** The COSE_Sign1 in `bytes`: tagged 18, untagged, or 61(18(..)). */
export function parse(bytes: Uint8Array<ArrayBuffer>): Sign1 {
  const reader = new Reader(bytes);
  let item = reader.item();
  if (item.is === 'tag' && item.value === 61) {
    item = reader.item();
    if (!(item.is === 'tag' && item.value === 18)) throw new Malformed();
  }
  if (item.is === 'tag' && item.value === 18) item = reader.item();
  if (!(item.is === 'array' && item.value === 4)) throw new Malformed();
  const signed = byteString(reader);
  const first = new Map<number | bigint | string, Item>();
  if (signed.length > 0) {
    const inside = new Reader(signed);
    header(inside, first);
    inside.end();
  }
  const empty = signed.length === 0 || isEmptyMap(new Reader(signed).item());
  const second = new Map<number | bigint | string, Item>();
  header(reader, second);
  const payload = byteString(reader);
  const signature = byteString(reader);
  reader.end();
  const alg = first.get(1) ?? second.get(1);
  const kid = first.get(4) ?? second.get(4);
  return {
    // RFC 9052 §3, §4.4: whichever way an empty map was sent, the zero-length string is what was signed.
    protected: empty ? new Uint8Array() : signed,
    headers: [first, second],
    alg: alg?.is === 'int' ? alg.value : undefined,
    kid: kid?.is === 'bytes' ? kid.value : undefined,
    payload,
    signature,
  };
}

const isEmptyMap = (item: Item) => item.is === 'map' && item.value === 0;

function byteString(reader: Reader): Uint8Array<ArrayBuffer> {
  const item = reader.item();
  if (item.is !== 'bytes') throw new Malformed();
  return item.value;
}

function header(reader: Reader, into: Map<number | bigint | string, Item>): void {
  reader.map((key, value) => {
    if (key.is !== 'int' && key.is !== 'text') return;
    // Whatever `crit` names, it is nothing that we process (RFC 9052 §3.1).
    if (key.value === 2) throw new Malformed();
    const scalar = value.scalar();
    if (key.value === 4 && scalar.is !== 'bytes') throw new Malformed();
    into.set(key.value, scalar);
  });
}

/** The Sig_structure: the bytes that were signed. Source: RFC 9052 §4.4. */
export function tbs(sign1: Pick<Sign1, 'protected' | 'payload'>): Uint8Array<ArrayBuffer> {
  const head = [0x84, 0x6a, ...new TextEncoder().encode('Signature1')];
  const parts = [head, byteHead(sign1.protected.length), sign1.protected, [0x40], byteHead(sign1.payload.length), sign1.payload];
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The head of a byte string, in its shortest form. */
function byteHead(length: number): number[] {
  if (length < 24) return [0x40 | length];
  if (length < 0x100) return [0x58, length];
  if (length < 0x10000) return [0x59, length >> 8, length & 0xff];
  return [0x5a, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff];
}
