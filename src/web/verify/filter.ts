// A binary fuse filter of 16-bit fingerprints, as src/revocation/filter.rs lays it out: may an entry be among those that it was
// made of? No is certain; a yes about one that is not is met once in 65,536.
import { Malformed } from './reasons';

const HEADER_LEN = 20;
const MAX_SEGMENT_BITS = 18;
const MASK = (1n << 64n) - 1n;

export class Filter {
  readonly #fingerprints: DataView;
  readonly #bits: bigint;
  readonly #segments: bigint;
  readonly #seed: bigint;

  /** The filter that these bytes are. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER_LEN || view.getUint32(0) !== 0x42463136 || view.getUint8(4) !== 1 || view.getUint16(6) !== 0) {
      throw new Malformed();
    }
    const [bits, segments] = [view.getUint8(5), view.getUint32(16, true)];
    const fingerprints = segments === 0 ? 0 : (segments + 2) * 2 ** bits;
    if (bits < 2 || bits > MAX_SEGMENT_BITS || bytes.length !== HEADER_LEN + 2 * fingerprints) throw new Malformed();
    this.#fingerprints = new DataView(bytes.buffer, bytes.byteOffset + HEADER_LEN);
    [this.#bits, this.#segments, this.#seed] = [BigInt(bits), BigInt(segments), view.getBigUint64(8, true)];
  }

  /** False if the entry is not among those that the filter was made of; true if it most likely is. */
  mayContain(entry: Uint8Array<ArrayBuffer>): boolean {
    if (this.#segments === 0n) return false;
    const key = new DataView(entry.buffer, entry.byteOffset).getBigUint64(0);
    let hash = (key + this.#seed) & MASK;
    hash = ((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn) & MASK;
    hash = ((hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK;
    hash ^= hash >> 33n;
    const length = 1n << this.#bits;
    const first = (hash * (this.#segments << this.#bits)) >> 64n;
    const places = [first, (first + length) ^ ((hash >> 18n) & (length - 1n)), (first + 2n * length) ^ (hash & (length - 1n))];
    const stored = places.reduce((mixed, place) => mixed ^ this.#fingerprints.getUint16(2 * Number(place), true), 0);
    return stored === Number((hash ^ (hash >> 32n)) & 0xffffn);
  }
}
