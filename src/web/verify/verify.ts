// A QR text and what is known -> a verdict, the server's own word for word: src/verify.rs and src/app/verdict.rs in TypeScript.
import * as base45 from './base45';
import { toBase64 } from './base64';
import type { Certificate, Profile } from './certificate';
import * as cose from './cose';
import type { Json } from './certlogic';
import { unmetByCountry } from './country';
import * as cwt from './cwt';
import * as dcc from './dcc';
import { inflate } from './inflate';
import { isCalled } from './keys';
import { type Reason, Rejected, rejecting } from './reasons';
import { type Revocations, entriesOf } from './revocation';
import { type Rules, cardOf, productCode, unmet } from './rules';
import { type TrustList, type TrustedKey, allows } from './trust';

/** What a verdict is made by: snapshots of what is trusted, revoked and ruled. */
export interface Knowledge {
  trust: TrustList;
  revocations: Revocations;
  rules: Rules;
}

/** The facts of an accepted certificate, as `POST /v1/verify` spells them. */
export interface Facts {
  uvci: string;
  name: string;
  birth?: string;
  dose?: number;
  series?: number;
  product?: string;
  given_on?: string;
  sampled_at?: number;
  positive_on?: string;
  valid_from?: string;
  valid_until?: string;
  issuer: string;
  expires_at: number;
}

export interface Verdict {
  result: 'accepted' | 'rejected' | 'unconfirmed';
  card: 'green' | 'yellow' | 'red' | 'amber';
  reason?: Reason;
  rule?: string;
  /** True if that rule could not be asked of this certificate. */
  open?: boolean;
  profile?: Profile;
  type?: Certificate['statement']['type'];
  certificate?: Facts;
  kid?: string;
  /** Our own key signed it, and the registry knows nothing of it. Only the service can tell. */
  registry?: 'unknown';
  checked_at: number;
  as_of: { trust: number; revocations: number; rules: number };
}

/** The longest text that is decoded, prefix included, in bytes. */
const MAX_TEXT_LEN = 4096;
/** How far another clock may run ahead of ours, in seconds. */
const CLOCK_SKEW_S = 60;

const PREFIXES: Record<string, Profile> = { 'VN1:': 'compact', 'HC1:': 'hc1' };

/** Whether a QR text is accepted at `now`, in seconds since 1970. A rejected verdict says nothing of what was in the text. */
export async function verify(text: string, known: Knowledge, now: number): Promise<Verdict> {
  const as_of = { trust: known.trust.version, revocations: known.revocations.version, rules: known.rules.version };
  try {
    const signed = await checkSignature(text, known.trust);
    const accepted = await accept(signed, known, now);
    return { ...accepted, checked_at: now, as_of };
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    const { reason, unmet } = error;
    const rule = unmet && { rule: unmet.rule, ...(unmet.open && { open: true }) };
    return { result: 'rejected', card: 'red', reason, ...rule, checked_at: now, as_of };
  }
}

interface Signed {
  certificate: cwt.Claims;
  key: TrustedKey;
  signature: Uint8Array<ArrayBuffer>;
}

/** Which profile `text` says it is of, and its Base45 part. White space around the text is dropped, inside it is data. */
function splitContextIdentifier(text: string): [Profile, string] {
  if (text.length > MAX_TEXT_LEN || new TextEncoder().encode(text).length > MAX_TEXT_LEN) throw new Rejected('too_large');
  const trimmed = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
  const profile = PREFIXES[trimmed.slice(0, 4)];
  if (profile) return [profile, trimmed.slice(4)];
  // Two or three letters and a version digit: HC2, NL2, DK3, LT1.
  throw new Rejected(/^[A-Z]{2,3}[A-Za-z0-9]:/.test(trimmed) ? 'unknown_prefix' : 'not_a_certificate');
}

/** Proves the signature of a text, whatever the time. */
async function checkSignature(text: string, trust: TrustList): Promise<Signed> {
  const [profile, coded] = splitContextIdentifier(text);
  const bytes = rejecting('malformed_base45', () => base45.decode(coded));
  const inflated = profile === 'compact' ? bytes : await inflate(bytes).catch(rethrow);
  const sign1 = rejecting('malformed_cose', () => cose.parse(inflated));
  const certificate = rejecting('malformed_claims', () => cwt.decode(profile, sign1.payload));
  const tbs = cose.tbs(sign1);
  for (const candidate of candidates(sign1, trust)) {
    const { signature } = sign1;
    if (await candidate.key.verifies(signature, tbs)) return { certificate, key: candidate, signature };
  }
  throw new Rejected('bad_signature');
}

function rethrow(error: unknown): never {
  throw error instanceof Rejected ? error : new Rejected('malformed_zlib');
}

/** The keys with the header's kid that sign as the header says; at least one. */
function candidates(sign1: cose.Sign1, trust: TrustList): TrustedKey[] {
  const withKid = sign1.kid?.length === 8 ? trust.keys.get(toBase64(sign1.kid)) : undefined;
  if (!withKid) throw new Rejected('unknown_key');
  const calledSo = withKid.filter(({ key }) => isCalled(key.algorithm, sign1.alg));
  if (calledSo.length === 0) throw new Rejected('algorithm_mismatch');
  return calledSo;
}

/** The verdict on a proved certificate. */
async function accept({ certificate, key, signature }: Signed, known: Knowledge, now: number) {
  checkKey(certificate, key, now);
  // Only a country can contradict a country: some issuers sign with their ministry's name.
  const iss = certificate.issuer;
  if (iss && /^[A-Za-z]{2}$/.test(iss) && iss.toUpperCase() !== key.country.toUpperCase()) throw new Rejected('issuer_mismatch');
  if (certificate.issuedAt !== undefined && certificate.issuedAt > now + CLOCK_SKEW_S) throw new Rejected('not_yet_valid');
  if (now > certificate.expiresAt) throw new Rejected('expired');
  const standing = known.revocations.standing(await entriesOf(certificate, key, signature));
  if (standing === 'revoked') throw new Rejected('revoked');
  const rule = unmet(known.rules, certificate.statement, now);
  if (rule !== undefined) throw new Rejected('not_acceptable', { rule, open: false });
  const country = known.rules.certlogic?.length ? unmetByCountry(known.rules, certificate, dccOf(certificate, known.rules), key, now) : undefined;
  if (country) throw new Rejected('not_acceptable', country);
  // Nothing of a person is shown on a yes that may be a no.
  if (standing === 'unconfirmed') return { result: 'unconfirmed', card: 'amber' } as const;
  const { statement, profile } = certificate;
  return {
    result: 'accepted',
    card: cardOf(known.rules, statement, now),
    profile,
    type: statement.type,
    certificate: facts(certificate, key, known.rules),
    kid: key.kid,
  } as const;
}

/** The DCC that a country's rules are asked about: the one that was signed, or what a compact certificate is as one. */
function dccOf(certificate: cwt.Claims, rules: Rules): Json {
  const { statement, profile, signed } = certificate;
  if (profile === 'hc1') return dcc.toJson(signed.clone());
  const code = statement.type === 'vaccination' ? productCode(rules, statement) : undefined;
  const product = rules.products.find((row) => row.code === code);
  if (!product) throw new Rejected('malformed_claims');
  return dcc.ofCompact(certificate, product);
}

function checkKey(certificate: Certificate, key: TrustedKey, now: number): void {
  if (key.withdrawn_at != null) throw new Rejected('key_withdrawn');
  // Own keys sign within their signing period; a foreign list says only when it trusts a key.
  const signedAt = key.own ? certificate.issuedAt : undefined;
  const before = (at: number | undefined, from: number | null | undefined) => at !== undefined && from != null && at < from;
  const after = (at: number | undefined, until: number | null | undefined) => at !== undefined && until != null && at > until;
  if (before(now + CLOCK_SKEW_S, key.trusted_from) || before(signedAt, key.signs_from)) throw new Rejected('key_not_yet_valid');
  if (after(now, key.trusted_until) || after(signedAt, key.signs_until)) throw new Rejected('key_expired');
  const maySignProfile = certificate.profile === 'hc1' || key.national;
  if (!maySignProfile || !allows(key.usages, certificate.statement.type)) throw new Rejected('key_usage');
}

function facts(certificate: Certificate, key: TrustedKey, rules: Rules): Facts {
  const { uvci, name, birth, statement, expiresAt } = certificate;
  const whose = { uvci, name, ...(birth !== '' && { birth }) };
  const until = { issuer: key.country, expires_at: expiresAt };
  switch (statement.type) {
    case 'vaccination': {
      const product = productCode(rules, statement);
      const { dose, series, givenOn } = statement;
      return { ...whose, dose, series, ...(product !== undefined && { product }), given_on: givenOn, ...until };
    }
    case 'test':
      return { ...whose, sampled_at: statement.sampledAt, ...until };
    case 'recovery': {
      const { positiveOn, validFrom, validUntil } = statement;
      return { ...whose, positive_on: positiveOn, valid_from: validFrom, valid_until: validUntil, ...until };
    }
  }
}
