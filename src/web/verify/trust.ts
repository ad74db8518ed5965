// The trust list: for each kid every key with that kid, each with its country, its usages and its periods.
import { fromBase64 } from './base64';
import { type PublicKey, publicKey } from './keys';
import { Malformed } from './reasons';

/** One key as `GET /v1/trust-list` gives it. Times are seconds since 1970, absent where there is no bound. */
export interface TrustedKeyDocument {
  kid: string;
  country: string;
  national: boolean;
  public_key: string;
  usages: string[];
  own: boolean;
  signs_from?: number | null;
  signs_until?: number | null;
  trusted_from?: number | null;
  trusted_until?: number | null;
  withdrawn_at?: number | null;
}

export interface TrustListDocument {
  version: number;
  issued_at: number;
  next_update: number;
  /** The keys that sign rules, revocations and changes, each within its period. */
  publishers?: { public_key: string; from?: number | null; until?: number | null }[];
  keys: TrustedKeyDocument[];
}

export interface TrustedKey extends TrustedKeyDocument {
  key: PublicKey;
}

export interface TrustList {
  version: number;
  /** By kid in standard base64; several keys may share one. */
  keys: Map<string, TrustedKey[]>;
}

/** The list of a document. Malformed if a key in it cannot be read: a list is taken whole or not at all. */
export function trustList(document: TrustListDocument): TrustList {
  const keys = new Map<string, TrustedKey[]>();
  for (const listed of document.keys) {
    if (fromBase64(listed.kid).length !== 8) throw new Malformed();
    const key = { ...listed, key: publicKey(fromBase64(listed.public_key)) };
    keys.set(listed.kid, [...(keys.get(listed.kid) ?? []), key]);
  }
  return { version: document.version, keys };
}

/** True if a key with these usages may sign a statement of this type; a key that names none that we know may sign all. */
export function allows(usages: string[], type: string): boolean {
  const known = usages.filter((usage) => ['vaccination', 'test', 'recovery'].includes(usage));
  return known.length === 0 || known.includes(type);
}
