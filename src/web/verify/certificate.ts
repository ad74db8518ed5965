// What a certificate states, as decoded; true only once a signature was proved over it.

export type Profile = 'compact' | 'hc1';

export type Statement =
  | { type: 'vaccination'; dose: number; series: number; product: Product; givenOn: string }
  | { type: 'test'; negative: boolean; sampledAt: number }
  | { type: 'recovery'; positiveOn: string; validFrom: string; validUntil: string };

/** A code of the EU value set, or a number of the compact profile's table, which the rules hold. */
export type Product = { code: string } | { number: number | bigint };

export interface Certificate {
  profile: Profile;
  /** `iss`. */
  issuer: string | undefined;
  /** `iat`, in seconds since 1970. */
  issuedAt: number | undefined;
  /** `exp`: the last second. */
  expiresAt: number;
  /** Upper case, without its check character. */
  uvci: string;
  name: string;
  /** Empty, `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
  birth: string;
  statement: Statement;
}
