// zlib, bounded: a text of 1 kB must not become 1 GB. Source: RFC 1950; HCERT §4.2.1.
import { Malformed, Rejected } from './reasons';

/** The longest CWT that is inflated. */
const MAX_INFLATED_LEN = 16 * 1024;

/** Inflates one whole zlib stream and nothing behind it. Rejects what is longer than the limit as soon as it is.
 *
 *  `zlib`: what a QR text holds, under 3 kB, so that what the stream has at hand beyond the limit is bounded as well. */
export async function inflate(zlib: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([zlib]).stream().pipeThrough(new DecompressionStream('deflate'));
  const reader = stream.getReader();
  const out = new Uint8Array(MAX_INFLATED_LEN);
  let length = 0;
  for (;;) {
    // The only failure here is the stream's own: no whole stream, a wrong checksum, or bytes behind its end.
    const part = await reader.read().catch(() => undefined);
    if (!part) throw new Malformed();
    if (part.done) return out.slice(0, length);
    if (length + part.value.length > MAX_INFLATED_LEN) {
      await reader.cancel().catch(() => undefined);
      throw new Rejected('too_large');
    }
    out.set(part.value, length);
    length += part.value.length;
  }
}
