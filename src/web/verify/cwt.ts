// The CWT: who issued it, when, until when, and the health certificate it carries. Source: RFC 8392; HCERT §3.3.
import { type Item, Reader } from './cbor';
import type { Certificate, Profile } from './certificate';
import * as compact from './compact';
import * as dcc from './dcc';
import { Malformed } from './reasons';

const [ISS, EXP, IAT, HCERT] = [1, 4, 6, -260];
/** In `hcert`: an EU DCC (HCERT §3.3.7), and our compact form. */
const [DCC, COMPACT] = [1, -1];

/** A certificate with what else the claims say. */
export interface Claims extends Certificate {
  /** The country that the statement names, if it names one. */
  country?: string;
  /** The statement as it was signed. */
  signed: Reader;
}

/** The facts in a CWT, unproved. */
export function decode(profile: Profile, payload: Uint8Array<ArrayBuffer>): Claims {
  let issuer: string | undefined;
  let expiresAt: number | undefined;
  let issuedAt: number | undefined;
  let hcert: { form: Profile; reader: Reader } | undefined;
  const reader = new Reader(payload);
  reader.map((key, value) => {
    if (key.is !== 'int') return;
    switch (key.value) {
      case ISS: {
        const item = value.scalar();
        if (item.is !== 'text' && item.is !== 'null') throw new Malformed();
        issuer = item.is === 'text' ? item.value : undefined;
        break;
      }
      case EXP:
        expiresAt = numericDate(value.scalar());
        break;
      case IAT:
        issuedAt = numericDate(value.scalar());
        break;
      case HCERT:
        hcert = decodeHcert(value);
    }
  });
  reader.end();
  // Assigned in a callback, which narrowing does not see.
  const found = hcert as { form: Profile; reader: Reader } | undefined;
  // HCERT §3.3.4 demands an expiry; without one a certificate would be for ever.
  if (!found || found.form !== profile || expiresAt === undefined) throw new Malformed();
  const signed = found.reader.clone();
  const says = profile === 'compact' ? compact.decode(found.reader) : dcc.decode(found.reader);
  return { profile, issuer, issuedAt, expiresAt, signed, ...says };
}

/** Seconds, whole or not, within the years that calendars reach (±2^40 s). */
function numericDate(item: Item): number | undefined {
  if (item.is === 'null') return undefined;
  if (item.is !== 'int' && item.is !== 'float') throw new Malformed();
  const seconds = Math.floor(Number(item.value));
  if (!(Math.abs(seconds) < 2 ** 40)) throw new Malformed();
  return seconds;
}

function decodeHcert(value: Reader): { form: Profile; reader: Reader } | undefined {
  let found: { form: Profile; reader: Reader } | undefined;
  value.map((key, reader) => {
    if (key.is !== 'int' || (key.value !== DCC && key.value !== COMPACT)) return;
    if (found) throw new Malformed(); // two statements in one
    found = { form: key.value === DCC ? 'hc1' : 'compact', reader };
  });
  return found;
}
