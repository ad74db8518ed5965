// Which certificates are no longer true.

/** What is known of one certificate's revocation. `unconfirmed`: a filter says so, and only the full list can tell. */
export type Standing = 'good' | 'revoked' | 'unconfirmed';

export interface Revocations {
  version: number;
  /** How a certificate with these entries stands. */
  standing(entries: Uint8Array<ArrayBuffer>[]): Standing;
}

/** What stands for a certificate in the list: SHA-256 cut to 16 bytes of its UVCI. */
export async function entriesOf(uvci: string): Promise<Uint8Array<ArrayBuffer>[]> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(uvci));
  return [new Uint8Array(digest, 0, 16)];
}
