// Signed resources as src/signed.rs lays them down, made here with a key of the test's own.
import { createHash, generateKeyPairSync, sign as signature } from 'node:crypto';

/** A new signer: `{ privateKey, spki, kid }`; `spki` in base64. */
export function newSigner() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { privateKey, spki: der.toString('base64'), kid: createHash('sha256').update(der).digest().subarray(0, 8) };
}

const head = (major, value) => {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  const bytes = Buffer.alloc(9, (major << 5) | 27);
  bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
};
const text = (value) => Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
const bytes = (value) => Buffer.concat([head(2, value.length), value]);

/** `json` signed as a resource of this kind. */
export function signed(kind, json, signer, { version = json.version, issued_at = Math.floor(Date.now() / 1000) } = {}) {
  // {1: -8, 4: kid, 16: typ, "version", "issued_at", "next_update"}
  const pairs = [
    [head(0, 1), head(1, 7)],
    [head(0, 4), bytes(signer.kid)],
    [head(0, 16), text(`thexanh/${kind}`)],
    [text('version'), head(0, version)],
    [text('issued_at'), head(0, issued_at)],
    [text('next_update'), head(0, issued_at + 86_400)],
  ];
  const protected_ = Buffer.concat([head(5, pairs.length), ...pairs.flat()]);
  const payload = Buffer.from(JSON.stringify(json));
  // The Sig_structure has its lengths in their shortest form (RFC 9052 §9).
  const shortest = (value) => {
    const { length } = value;
    const short = length < 24 ? [0x40 | length] : length < 256 ? [0x58, length] : length < 65536 ? [0x59, length >> 8, length & 255] : undefined;
    return Buffer.concat([Buffer.from(short ?? [0x5a, 0, length >> 16, (length >> 8) & 255, length & 255]), value]);
  };
  const tbs = Buffer.concat([head(4, 4), text('Signature1'), shortest(protected_), bytes(Buffer.alloc(0)), shortest(payload)]);
  const made = signature(null, tbs, signer.privateKey);
  // 18([protected, {}, payload, signature])
  return Buffer.concat([head(6, 18), head(4, 4), bytes(protected_), head(5, 0), bytes(payload), bytes(made)]);
}
