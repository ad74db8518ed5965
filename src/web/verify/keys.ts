// Public keys, and signatures proved under them: by WebCrypto, and where it has no Ed25519 (old WebViews) by a library.
import { Malformed } from './reasons';

export type Algorithm = 'EdDSA' | 'ES256' | 'PS256';

/** What a COSE header may call each algorithm. Source: RFC 9053, RFC 9864. */
const CALLED: Record<Algorithm, readonly number[]> = { EdDSA: [-8, -19], ES256: [-7, -9], PS256: [-37] };

/** True if a header may call `algorithm` so. */
export function isCalled(algorithm: Algorithm, header: number | bigint | undefined): boolean {
  return CALLED[algorithm].includes(Number(header));
}

/** A key ready to prove signatures with. */
export interface PublicKey {
  algorithm: Algorithm;
  /** True if `signature` is this key's over `tbs`. */
  verifies(signature: Uint8Array<ArrayBuffer>, tbs: Uint8Array<ArrayBuffer>): Promise<boolean>;
}

const OIDS: Record<string, Algorithm> = {
  '06032b6570': 'EdDSA',
  '06072a8648ce3d020106082a8648ce3d030107': 'ES256', // id-ecPublicKey on prime256v1
  '06092a864886f70d010101': 'PS256', // rsaEncryption
  '06092a864886f70d01010a': 'PS256', // id-RSASSA-PSS
};

/** The key in a DER SubjectPublicKeyInfo, made ready when it is first used: a list has hundreds of keys, a day sees a few.
 *
 *  Malformed if it is none of the three algorithms' (RFC 5280 §4.1.2.7, RFC 8410). A key that cannot be used verifies nothing. */
export function publicKey(spki: Uint8Array<ArrayBuffer>): PublicKey {
  const [whole] = der(spki, 0x30);
  const [identifier, behind] = der(whole, 0x30);
  const [bits] = der(whole.subarray(behind), 0x03);
  const key = bits.subarray(1); // behind the count of unused bits
  const algorithm = Object.entries(OIDS).find(([oid]) => hex(identifier).startsWith(oid))?.[1];
  if (!algorithm) throw new Malformed();
  let ready: Promise<Verify> | undefined;
  return {
    algorithm,
    verifies: async (signature, tbs) => {
      ready ??= IMPORTS[algorithm](key).catch(() => async () => false);
      return (await ready)(signature, tbs);
    },
  };
}

type Verify = (signature: Uint8Array<ArrayBuffer>, tbs: Uint8Array<ArrayBuffer>) => Promise<boolean>;

const IMPORTS: Record<Algorithm, (key: Uint8Array<ArrayBuffer>) => Promise<Verify>> = { EdDSA: ed25519, ES256: p256, PS256: rsa };

/** Lower-case hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The content of the DER item of this tag at the beginning of `bytes`, and where it ends. */
function der(bytes: Uint8Array<ArrayBuffer>, tag: number): [content: Uint8Array<ArrayBuffer>, end: number] {
  const [first, short = 0] = bytes;
  let [begin, length] = [2, short];
  if (short > 0x80 && short <= 0x83) {
    begin += short - 0x80;
    length = bytes.subarray(2, begin).reduce((value, byte) => value * 256 + byte, 0);
  } else if (short >= 0x80) throw new Malformed();
  if (first !== tag || begin + length > bytes.length) throw new Malformed();
  return [bytes.subarray(begin, begin + length), begin + length];
}

/** The points of small order, as they are encoded: a signature with one as R says nothing of who signed. */
const SMALL_ORDER = new Set([
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
]);

async function ed25519(raw: Uint8Array<ArrayBuffer>): Promise<Verify> {
  const verify = (await ed25519ByWebCrypto(raw)) ?? (await ed25519ByLibrary(raw));
  return async (signature, tbs) =>
    signature.length === 64 && !SMALL_ORDER.has(hex(signature.subarray(0, 32))) && verify(signature, tbs);
}

async function ed25519ByWebCrypto(raw: Uint8Array<ArrayBuffer>): Promise<Verify | undefined> {
  try {
    const key = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
    return (signature, tbs) => crypto.subtle.verify('Ed25519', key, signature, tbs);
  } catch {
    return undefined;
  }
}

/** Says yes to what WebCrypto says yes to; beyond that only to signatures that the key's owner made odd on purpose. */
export async function ed25519ByLibrary(raw: Uint8Array<ArrayBuffer>): Promise<Verify> {
  const { ed25519 } = await import('@noble/curves/ed25519.js');
  return async (signature, tbs) => {
    try {
      return ed25519.verify(signature, tbs, raw, { zip215: false });
    } catch {
      return false;
    }
  };
}

async function p256(point: Uint8Array<ArrayBuffer>): Promise<Verify> {
  let raw = point;
  if (point[0] === 2 || point[0] === 3) {
    // Written in short (RFC 5480 §2.2), which not every WebCrypto reads.
    const { p256 } = await import('@noble/curves/nist.js');
    raw = new Uint8Array(p256.Point.fromBytes(point).toBytes(false));
  }
  const key = await crypto.subtle.importKey('raw', raw, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  return (signature, tbs) => crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signature, tbs);
}

/** `RSAPublicKey`, put into a SubjectPublicKeyInfo that says rsaEncryption: WebCrypto reads no other. */
async function rsa(key: Uint8Array<ArrayBuffer>): Promise<Verify> {
  const identifier = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
  const bits = [0x03, ...derLength(key.length + 1), 0x00];
  const length = identifier.length + bits.length + key.length;
  const spki = new Uint8Array([0x30, ...derLength(length), ...identifier, ...bits, ...key]);
  const algorithm = { name: 'RSA-PSS', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('spki', spki, algorithm, false, ['verify']);
  const modulus = (imported.algorithm as RsaKeyAlgorithm).modulusLength;
  if (modulus < 2048 || modulus > 8192) throw new Malformed();
  return (signature, tbs) => crypto.subtle.verify({ name: 'RSA-PSS', saltLength: 32 }, imported, signature, tbs);
}

function derLength(length: number): number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  return [0x82, length >> 8, length & 0xff];
}
