// Says off line whether a QR text is accepted. usage: verify.ts DIR TEXT; README, "For verifier apps", says what is in DIR.
import { createHash, createPublicKey, verify, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";

const [DIR = "", TEXT = ""] = process.argv.slice(2), DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const no = (why: string): never => (console.error(`rejected: ${why}`), process.exit(1));
const read = (file: string) => readFileSync(`${DIR}/${file}`);
const base45 = (text: string) => Buffer.concat((text.match(/.{1,3}/gs) ?? []).map((part) => {
  const value = [...part].reduceRight((sum, c) => sum * 45 + DIGITS.indexOf(c), 0);
  return Buffer.from(part.length === 3 ? [value >> 8, value & 255] : [value]);
}));
function cbor(bytes: Buffer, at = { i: 0 }): any {
  const first = bytes[at.i++]!, more = [1, 2, 4, 8][(first & 31) - 24] ?? 0;
  const n = more === 8 ? Number(bytes.readBigUInt64BE(at.i)) : more ? bytes.readUIntBE(at.i, more) : first & 31;
  at.i += more;
  const string = () => bytes.subarray(at.i, (at.i += n)), many = () => Array.from({ length: n }, () => cbor(bytes, at));
  const map = () => new Map(Array.from({ length: n }, () => [cbor(bytes, at), cbor(bytes, at)] as const));
  return [() => n, () => -1 - n, string, () => string().toString(), many, map, () => cbor(bytes, at), () => null][first >> 5]!();
}
const head = (type: number, n: number) => Buffer.from(n < 24 ? [type | n] : n < 256 ? [type | 24, n] : n < 65536 ? [type | 25, n >> 8, n & 255] : [type | 26, n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
function proved(cose: Buffer, keys: (kid: Buffer) => KeyObject[], typ?: string): Buffer {
  const [protectedHeader, , payload, signature] = cbor(cose), header = cbor(protectedHeader), start = Buffer.from("\x84\x6aSignature1", "latin1");
  const tbs = Buffer.concat([start, head(0x40, protectedHeader.length), protectedHeader, head(0x40, 0), head(0x40, payload.length), payload]);
  const good = header.get(16) === typ && keys(header.get(4)).some((key) => verify(null, tbs, key, signature));
  return good ? payload : no("no key that may sign this has signed it");
}
type Row = { kid: string; public_key: string; national: boolean; algorithm: string; withdrawn_at?: number };
const key = (row: { public_key: string }) => createPublicKey({ key: Buffer.from(row.public_key, "base64"), format: "der", type: "spki" });
const trust = JSON.parse(proved(read("trust-list.cose"), () => [createPublicKey(read("anchor.pem"))], "thexanh/trust-list").toString());
const index = JSON.parse(proved(read("revocations.cose"), () => trust.publishers.map(key), "thexanh/revocations").toString());
const mayBe = (row: Row, kid: Buffer) => row.national && row.algorithm === "EdDSA" && row.withdrawn_at === undefined && kid.equals(Buffer.from(row.kid, "base64"));
const claims = cbor(proved(base45(TEXT.replace(/^VN1:/, "")), (kid) => trust.keys.filter((row: Row) => mayBe(row, kid)).map(key)));
const [uvci, name, , dose, series] = claims.get(-260).get(-1), now = Date.now() / 1000;
const entry = createHash("sha256").update(`URN:UVCI:01:VN:${uvci.toString("hex").toUpperCase()}`).digest().subarray(0, 16);
const pieces = index.layers.flatMap((layer: any) => layer.full).filter((piece: any) => entry.toString("hex").startsWith(piece.prefix));
const held = pieces.map((piece: any) => read(`slices/${piece.id}`)).some((data: Buffer) => { for (let at = 0; at < data.length; at += 16) if (entry.equals(data.subarray(at, at + 16))) return true; return false; });
if (held && !index.removed.includes(entry.toString("base64"))) no("revoked");
console.log(claims.get(6) - 60 <= now && now <= claims.get(4) ? `accepted: ${name} ${dose}/${series}` : no("expired"));
