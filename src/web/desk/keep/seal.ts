// AES-256-GCM under a key that never leaves the browser: it cannot be exported, only used here.
import { type Sealed, keepKey, key } from './database';

let known: Promise<CryptoKey> | undefined;

async function make(): Promise<CryptoKey> {
  const kept = await key();
  if (kept) return kept;
  await keepKey(await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']));
  const made = await key();
  if (!made) throw new Error('no key could be kept');
  return made;
}

function theKey(): Promise<CryptoKey> {
  known ??= make().catch((error: unknown) => {
    // The next time it may be there.
    known = undefined;
    throw error;
  });
  return known;
}

/** `value` sealed; `about` is not in it, but must be said again to open it. */
export async function seal(value: unknown, about: string): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const algorithm = { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(about) };
  const bytes = await crypto.subtle.encrypt(algorithm, await theKey(), new TextEncoder().encode(JSON.stringify(value)));
  return { iv, bytes };
}

/** What was sealed. Rejects if it was changed, or is about something else. */
export async function unseal<T>({ iv, bytes }: Sealed, about: string): Promise<T> {
  const algorithm = { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(about) };
  return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, await theKey(), bytes))) as T;
}
