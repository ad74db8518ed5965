// Standard base64, as JSON carries bytes.
import { Malformed } from './reasons';

/** The bytes in `text`. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw new Malformed();
  }
}

/** `bytes` as text. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
