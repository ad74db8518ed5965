// Which certificates are no longer true: an index that is signed, and slices that it names by their SHA-256.
import { fromBase64 } from './base64';
import { Filter } from './filter';
import { hex } from './keys';
import { Malformed } from './reasons';

/** What is known of one certificate's revocation. `unconfirmed`: a filter says so, and only the full list can tell. */
export type Standing = 'good' | 'revoked' | 'unconfirmed';

export interface Revocations {
  version: number;
  /** How a certificate with these entries stands. */
  standing(entries: Uint8Array<ArrayBuffer>[]): Standing;
}

/** A slice: the SHA-256 of its bytes in base64url, and how many they are. */
export interface SliceRef {
  id: string;
  bytes: number;
}

/** The index as `GET /v1/revocations` gives it. */
export interface Index {
  version: number;
  count: number;
  layers: { from: number; to: number; count: number; filter: SliceRef; full: (SliceRef & { prefix: string; count: number })[] }[];
  /** What a layer holds though it is revoked no longer, in standard base64. */
  removed: string[];
}

const ENTRY_LEN = 16;

/** What stands for a certificate in the list: SHA-256 cut to 16 bytes of its UVCI. */
export async function entriesOf(uvci: string): Promise<Uint8Array<ArrayBuffer>[]> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(uvci));
  return [new Uint8Array(digest, 0, ENTRY_LEN)];
}

/** The name of a slice: the SHA-256 of its bytes in base64url. */
export async function sliceId(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return btoa(String.fromCharCode(...digest)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** What is revoked by `index`, as far as its slices are at hand. Malformed if a slice is not what it should be.
 *
 *  `slices`: bytes by id; every filter is to be there, and the full pieces that are make yes or no of what a filter suspects. */
export function revocations(index: Index, slices: Map<string, Uint8Array<ArrayBuffer>>): Revocations {
  const removed = new Set(index.removed.map((entry) => hex(fromBase64(entry))));
  const layers = index.layers.map(({ filter, full }) => {
    const bytes = slices.get(filter.id);
    if (!bytes) throw new Malformed();
    const pieces = full.map(({ prefix, id }) => ({ prefix, entries: slices.get(id) }));
    return { filter: new Filter(bytes), pieces };
  });
  const standing = (entry: Uint8Array<ArrayBuffer>): Standing => {
    const digits = hex(entry);
    if (removed.has(digits)) return 'good';
    let found: Standing = 'good';
    for (const { filter, pieces } of layers) {
      if (!filter.mayContain(entry)) continue;
      const piece = pieces.find(({ prefix }) => digits.startsWith(prefix));
      if (!piece?.entries) found = 'unconfirmed';
      else if (contains(piece.entries, entry)) return 'revoked';
    }
    return found;
  };
  return {
    version: index.version,
    standing(entries) {
      const standings = entries.map(standing);
      return (['revoked', 'unconfirmed', 'good'] as const).find((worst) => standings.includes(worst)) ?? 'good';
    },
  };
}

/** True if `entry` is among the sorted entries that stand end to end in `bytes`. */
function contains(bytes: Uint8Array<ArrayBuffer>, entry: Uint8Array<ArrayBuffer>): boolean {
  let [from, to] = [0, Math.floor(bytes.length / ENTRY_LEN)];
  while (from < to) {
    const middle = (from + to) >> 1;
    const order = compare(bytes.subarray(middle * ENTRY_LEN, (middle + 1) * ENTRY_LEN), entry);
    if (order === 0) return true;
    if (order < 0) from = middle + 1;
    else to = middle;
  }
  return false;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < ENTRY_LEN; i++) {
    const order = (a[i] ?? 0) - (b[i] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}
