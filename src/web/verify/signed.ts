// Signed resources: what verifiers follow, each version under one signature, as src/signed.rs lays it down.
import { fromBase64 } from './base64';
import { type Item, Reader } from './cbor';
import { tbs } from './cose';
import { type PublicKey, hex, publicKey } from './keys';
import { Malformed } from './reasons';

export type Kind = 'trust-list' | 'rules' | 'revocations' | 'changes';

/** Why bytes are not taken. What was in force stays in force. */
export type Refusal = 'unsigned' | 'malformed' | 'wrong_type' | 'unknown_signer' | 'bad_signature' | 'from_the_future' | 'older_version';

/** A refusal, thrown. */
export class Refused extends Error {
  readonly why: Refusal;

  constructor(why: Refusal) {
    super(why);
    this.why = why;
  }
}

/** A key that may sign a resource, under the kid of the bare key. */
export interface Signer {
  /** In lower-case hexadecimal digits. */
  kid: string;
  key: PublicKey;
}

/** True if `bytes` begin as a tagged COSE_Sign1 does, and so are no JSON. */
export function isSigned(bytes: Uint8Array): boolean {
  return bytes[0] === 0xd2 && bytes[1] === 0x84;
}

/** The signer whose SubjectPublicKeyInfo this is, in base64. */
export async function signer(spki: string): Promise<Signer> {
  const der = fromBase64(spki);
  const kid = new Uint8Array(await crypto.subtle.digest('SHA-256', der), 0, 8);
  return { kid: hex(kid), key: publicKey(der) };
}

/** The SubjectPublicKeyInfo, in base64, that a signed trust list says it is signed by: unproved, for who sees their first one. */
export function anchorOf(bytes: Uint8Array<ArrayBuffer>): string {
  const { payload } = malformed(() => parse(bytes));
  const { anchor } = JSON.parse(new TextDecoder().decode(payload)) as { anchor?: { public_key?: unknown } };
  if (typeof anchor?.public_key !== 'string') throw new Refused('malformed');
  return anchor.public_key;
}

/** A resource whose signature was proved. */
export interface Opened {
  version: number;
  issuedAt: number;
  nextUpdate: number;
  /** The resource: JSON in UTF-8. */
  payload: Uint8Array<ArrayBuffer>;
}

/** How far another clock may run ahead of ours, in seconds. */
const CLOCK_SKEW_S = 60;
const [ALG, CRIT, KID, TYP, EDDSA] = [1, 2, 4, 16, -8];

/** The resource of this kind in `bytes`, proved to be one of the signers'. `atLeast`: the highest version that is known. */
export async function open(
  kind: Kind,
  bytes: Uint8Array<ArrayBuffer>,
  signers: Signer[],
  now: number,
  atLeast: number,
): Promise<Opened> {
  const { header, ...sign1 } = malformed(() => parse(bytes));
  if (header.typ !== `thexanh/${kind}`) throw new Refused('wrong_type');
  const theirs = signers.filter(({ kid, key }) => kid === header.kid && key.algorithm === 'EdDSA');
  if (theirs.length === 0) throw new Refused('unknown_signer');
  const signed = tbs(sign1);
  const good = await Promise.all(theirs.map(({ key }) => key.verifies(sign1.signature, signed)));
  if (!good.includes(true)) throw new Refused('bad_signature');
  if (header.issuedAt > now + CLOCK_SKEW_S) throw new Refused('from_the_future');
  if (header.version < atLeast) throw new Refused('older_version');
  return { version: header.version, issuedAt: header.issuedAt, nextUpdate: header.nextUpdate, payload: sign1.payload };
}

function malformed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Malformed ? new Refused('malformed') : error;
  }
}

/** Stricter than certificates are read, which others write too: tagged, and nothing unprotected. */
function parse(bytes: Uint8Array<ArrayBuffer>) {
  const reader = new Reader(bytes);
  expect(reader.item(), 'tag', 18);
  expect(reader.item(), 'array', 4);
  const protected_ = byteString(reader.item());
  expect(reader.item(), 'map', 0);
  const payload = byteString(reader.item());
  const signature = byteString(reader.item());
  reader.end();
  return { protected: protected_, payload, signature, header: parseHeader(protected_) };
}

function expect(item: Item, is: 'tag' | 'array' | 'map', value: number): void {
  if (item.is !== is || item.value !== value) throw new Malformed();
}

function byteString(item: Item): Uint8Array<ArrayBuffer> {
  if (item.is !== 'bytes') throw new Malformed();
  return item.value;
}

function parseHeader(bytes: Uint8Array<ArrayBuffer>) {
  const found = new Map<unknown, Item>();
  const reader = new Reader(bytes);
  reader.map((label, value) => {
    if (label.is === 'int' || label.is === 'text') found.set(label.value, value.scalar());
  });
  reader.end();
  const number = (label: number | string, least: number) => {
    const item = found.get(label);
    if (item?.is !== 'int' || typeof item.value !== 'number' || item.value < least) throw new Malformed();
    return item.value;
  };
  const [kid, typ] = [found.get(KID), found.get(TYP)];
  // Whatever `crit` names, it is nothing that we process.
  if (found.has(CRIT) || number(ALG, EDDSA) !== EDDSA || typ?.is !== 'text') throw new Malformed();
  if (kid?.is !== 'bytes' || kid.value.length !== 8) throw new Malformed();
  const [version, issuedAt, nextUpdate] = [number('version', 0), number('issued_at', -Infinity), number('next_update', -Infinity)];
  if (issuedAt > nextUpdate) throw new Malformed();
  return { kid: hex(kid.value), typ: typ.value, version, issuedAt, nextUpdate };
}
