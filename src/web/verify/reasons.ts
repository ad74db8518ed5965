// Why a verifier says no, in the order in which things are checked: the words of src/verify.rs.

export type Reason =
  | 'too_large'
  | 'not_a_certificate'
  | 'unknown_prefix'
  | 'malformed_base45'
  | 'malformed_zlib'
  | 'malformed_cose'
  | 'malformed_claims'
  | 'unknown_key'
  | 'algorithm_mismatch'
  | 'bad_signature'
  | 'key_withdrawn'
  | 'key_not_yet_valid'
  | 'key_expired'
  | 'key_usage'
  | 'issuer_mismatch'
  | 'not_yet_valid'
  | 'expired'
  | 'revoked'
  | 'not_acceptable';

/** A rejection, thrown through the layers. It holds nothing of what was read. */
export class Rejected extends Error {
  readonly reason: Reason;
  /** Which rule is not met, when the reason is `not_acceptable`, and whether it could not be asked. */
  readonly unmet: { rule: string; open: boolean } | undefined;

  constructor(reason: Reason, unmet?: { rule: string; open: boolean }) {
    super(reason);
    this.reason = reason;
    this.unmet = unmet;
  }
}

/** Bytes that are not what their layer demands; each layer says by which reason it refuses them. */
export class Malformed extends Error {}

/** What `read` gives; whatever it finds malformed is rejected for `reason`. */
export function rejecting<T>(reason: Reason, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Malformed ? new Rejected(reason) : error;
  }
}
