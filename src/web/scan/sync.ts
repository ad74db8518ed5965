// Fetches what the device verifies by, proves that it is signed by who may sign it, keeps it, and reads back what was kept.
import { type Index, type SliceRef, revocations, sliceId } from '../verify/revocation';
import type { Rules } from '../verify/rules';
import { type TrustListDocument, trustList } from '../verify/trust';
import type { Knowledge } from '../verify/verify';
import * as store from './store';
import { deviceNow, hear, now, remember } from './time';

/** The service could not be reached, or has nothing signed; what is kept goes on. */
export class Unreachable extends Error {}

const DOCUMENTS = ['trust-list', 'rules', 'revocations'] as const;
type Documents = Record<(typeof DOCUMENTS)[number], Uint8Array<ArrayBuffer>>;
type Slices = Map<string, Uint8Array<ArrayBuffer>>;

/** What is known, and what it was learnt from. */
interface Learnt {
  known: Knowledge;
  documents: Documents;
  slices: Slices;
  /** The SubjectPublicKeyInfo, in base64, that trust lists are signed by: of the first list that was seen, and none other since. */
  anchor: string;
}

let learnt: Learnt | undefined;

/** What was kept on an earlier visit, if all of it is there, proved as if it came from the service. */
export async function kept(): Promise<{ known: Knowledge; synced: store.Synced } | undefined> {
  const [synced, documents, slices] = await Promise.all([store.synced(), store.documents(), store.slices()]);
  if (!synced || !DOCUMENTS.every((name) => documents.has(name))) return undefined;
  remember(synced.at);
  const bytes = Object.fromEntries(documents) as Documents;
  learnt ??= await learn(bytes, synced.anchor, async ({ id }) => slices.get(id));
  return { known: learnt.known, synced };
}

/** What the service has now. `room`: whether it could be kept. Errors: `Unreachable`, `Refused`, `Malformed`. */
export async function sync(): Promise<{ known: Knowledge; synced: store.Synced; room: boolean }> {
  const [trust, rules, index] = await Promise.all(DOCUMENTS.map((name) => load(`/v1/${name}`, MAX_DOCUMENT)));
  const documents = { 'trust-list': trust, rules, revocations: index } as Documents;
  const before = learnt?.slices;
  const fresh = await learn(documents, learnt?.anchor, async ({ id, bytes }) => before?.get(id) ?? load(`/v1/revocations/${id}`, bytes));
  learnt = fresh;
  const synced: store.Synced = { at: now(), ahead: deviceNow() - now(), anchor: fresh.anchor };
  const room = await store.replace(synced, new Map(Object.entries(documents)), fresh.slices).then(
    () => true,
    () => false,
  );
  return { known: fresh.known, synced, room };
}

/** Forgets all, the anchor too: the next list that comes is believed. */
export async function forget(): Promise<void> {
  learnt = undefined;
  await store.clear();
}

/** Makes knowledge of documents that are signed as they should be, none older than what is known.
 *
 *  `fetch`: a slice's bytes, or nothing if it is not at hand. */
async function learn(
  documents: Documents,
  pinned: string | undefined,
  fetch: (slice: SliceRef) => Promise<Uint8Array<ArrayBuffer> | undefined>,
): Promise<Learnt> {
  const parsed = <T>(name: keyof Documents) => JSON.parse(new TextDecoder().decode(documents[name])) as T;
  const [trust, rules, index] = [parsed<TrustListDocument>('trust-list'), parsed<Rules>('rules'), parsed<Index>('revocations')];
  const slices: Slices = new Map();
  for (const slice of wanted(index)) {
    const bytes = await fetch(slice);
    // The digest in the signed index is what signs a slice.
    if (bytes && (await sliceId(bytes)) === slice.id) slices.set(slice.id, bytes);
  }
  return { known: { trust: trustList(trust), rules, revocations: revocations(index, slices) }, documents, slices, anchor: pinned ?? '' };
}

/** How much of the full lists a device keeps, in bytes: the newest first. Where a piece is missing a filter's yes is unconfirmed. */
const MAX_FULL = 4 << 20;
/** The longest document that is read, in bytes. */
const MAX_DOCUMENT = 32 << 20;

/** The slices of an index that a device keeps: every filter, and of the full lists what there is room for. */
function wanted(index: Index): SliceRef[] {
  const found: SliceRef[] = index.layers.map(({ filter }) => filter);
  let room = MAX_FULL;
  for (const { full } of [...index.layers].reverse()) {
    const size = full.reduce((sum, { bytes }) => sum + bytes, 0);
    if (size > room) break;
    room -= size;
    found.push(...full);
  }
  return found;
}

/** Longer than that nobody waits at a checkpoint, in milliseconds. */
const PATIENCE_MS = 20_000;

async function load(path: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const headers = { Accept: 'application/json' };
    const response = await fetch(path, { headers, cache: 'no-cache', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok || !response.body) throw new Unreachable();
    const date = Date.parse(response.headers.get('Date') ?? '');
    if (!Number.isNaN(date)) hear(date / 1000);
    return await bounded(response.body, most);
  } catch {
    throw new Unreachable();
  }
}

/** All of a body, or a failure as soon as it is longer than `most` bytes. */
async function bounded(body: ReadableStream<Uint8Array<ArrayBuffer>>, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (const reader = body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new Unreachable();
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
