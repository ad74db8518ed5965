// A country's own rules, in the EU's form, asked with the DCC as it was signed: src/policy/country.rs in TypeScript.
// A rule that cannot be asked of a certificate is open, which is a no here; a rule that failed is named rather than an open one.
import { type Budget, type Json, Unanswerable, isMet } from './certlogic';
import type { Certificate } from './certificate';
import type { Rules } from './rules';

/** A rule as countries publish it; the service checked it before it signed the rules. */
export interface CountryRule {
  Identifier: string;
  Type: 'Acceptance' | 'Invalidation';
  Country: string;
  Region?: string | null;
  Version: string;
  SchemaVersion: string;
  CertificateType: 'General' | 'Vaccination' | 'Test' | 'Recovery';
  ValidFrom: string;
  ValidTo: string;
  Logic: Json;
}

/** How many steps asking the rules about one certificate may take. */
const MAX_STEPS = 20_000;

type Three = [number, number, number];

/** The three numbers of a version, such as `1.3.0`. */
function version(text: Json | undefined): Three | undefined {
  const match = typeof text === 'string' ? /^(\d+)\.(\d+)\.(\d+)$/.exec(text) : null;
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : undefined;
}

function compare(a: Three, b: Three): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** The rule that the certificate does not meet at `now`: one that failed, else one that is open; nothing if it meets all.
 *
 *  `dcc`: as it was signed. `issuer`: the country of the key that signed it, `kid` the key's. */
export function unmetByCountry(
  rules: Rules,
  certificate: Certificate,
  dcc: Json,
  key: { country: string; kid: string },
  now: number,
): { rule: string; open: boolean } | undefined {
  const instant = (at: number | undefined) => (at === undefined ? null : new Date(at * 1000).toISOString().replace('.000Z', 'Z'));
  const external = {
    valueSets: rules.value_sets ?? {},
    validationClock: instant(now),
    countryCode: rules.country ?? 'VN',
    issuerCountryCode: key.country,
    iat: instant(certificate.issuedAt),
    exp: instant(certificate.expiresAt),
    kid: key.kid,
    region: rules.region ?? '',
  };
  const schema = version(typeof dcc === 'object' && dcc !== null && !Array.isArray(dcc) ? dcc['ver'] : undefined);
  const budget: Budget = { steps: MAX_STEPS };
  let open: string | undefined;
  for (const rule of newest(rules, certificate, key.country, now)) {
    const needs = version(rule.SchemaVersion);
    const readable = schema && needs && schema[0] === needs[0] && compare(schema, needs) >= 0;
    const answer = readable ? ask(rule, { payload: dcc, external }, budget) : undefined;
    if (answer === false) return { rule: rule.Identifier, open: false };
    if (answer === undefined) open ??= rule.Identifier;
  }
  return open === undefined ? undefined : { rule: open, open: true };
}

/** The rules that apply, by identifier, each in its newest version. */
function newest(rules: Rules, certificate: Certificate, issuer: string, now: number): CountryRule[] {
  const [country, region] = [rules.country ?? 'VN', (rules.region ?? '').toLowerCase()];
  const type = { vaccination: 'Vaccination', test: 'Test', recovery: 'Recovery' }[certificate.statement.type];
  const found = new Map<string, CountryRule>();
  for (const rule of rules.certlogic ?? []) {
    const place =
      rule.Type === 'Invalidation'
        ? rule.Country.toUpperCase() === issuer.toUpperCase()
        : rule.Country === country && (rule.Region ?? '').trim().toLowerCase() === region;
    const timely = Date.parse(rule.ValidFrom) <= now * 1000 && now * 1000 <= Date.parse(rule.ValidTo);
    if (!place || !timely || (rule.CertificateType !== 'General' && rule.CertificateType !== type)) continue;
    const [mine, other] = [version(rule.Version), version(found.get(rule.Identifier)?.Version)];
    if (!other || (mine && compare(mine, other) > 0)) found.set(rule.Identifier, rule);
  }
  return [...found.values()].sort((a, b) => (a.Identifier < b.Identifier ? -1 : 1));
}

/** Whether the rule is met; nothing if it cannot be asked. */
function ask(rule: CountryRule, data: Json, budget: Budget): boolean | undefined {
  try {
    return isMet(rule.Logic, data, budget);
  } catch (error) {
    if (error instanceof Unanswerable) return undefined;
    throw error;
  }
}
