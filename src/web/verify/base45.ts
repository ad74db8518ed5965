// Base45: QR's alphanumeric characters -> bytes. Source: RFC 9285.
import { Malformed } from './reasons';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
const WORTH = new Map([...ALPHABET].map((character, worth) => [character.charCodeAt(0), worth]));

function digit(text: string, at: number): number {
  const worth = WORTH.get(text.charCodeAt(at));
  if (worth === undefined) throw new Malformed();
  return worth;
}

/** The bytes in `text`. Malformed: lower case, a newline, a length of 1 mod 3, a triple over FFFF or a pair over FF. */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const rest = text.length % 3;
  if (rest === 1) throw new Malformed();
  const bytes = new Uint8Array(Math.floor(text.length / 3) * 2 + (rest === 2 ? 1 : 0));
  let to = 0;
  for (let at = 0; at + 3 <= text.length; at += 3) {
    const value = digit(text, at) + digit(text, at + 1) * 45 + digit(text, at + 2) * 2025;
    if (value > 0xffff) throw new Malformed();
    bytes[to++] = value >> 8;
    bytes[to++] = value & 0xff;
  }
  if (rest === 2) {
    const value = digit(text, text.length - 2) + digit(text, text.length - 1) * 45;
    if (value > 0xff) throw new Malformed();
    bytes[to] = value;
  }
  return bytes;
}
