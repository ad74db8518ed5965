// Fetches what the device verifies by, proves that it is signed by who may sign it, keeps it, and reads back what was kept.
import { type Index, type SliceRef, revocations, sliceId } from '../verify/revocation';
import type { Rules } from '../verify/rules';
import { type Kind, Refused, type Signer, anchorOf, isSigned, open, signer } from '../verify/signed';
import { type TrustListDocument, trustList } from '../verify/trust';
import type { Knowledge } from '../verify/verify';
import * as store from './store';
import { deviceNow, hear, now, remember } from './time';

/** The service could not be reached; what is kept goes on. */
export class Unreachable extends Error {}

const DOCUMENTS = ['trust-list', 'rules', 'revocations'] as const satisfies Kind[];
type Name = (typeof DOCUMENTS)[number];
type Documents = Record<Name, Uint8Array<ArrayBuffer>>;
type Slices = Map<string, Uint8Array<ArrayBuffer>>;

/** What is known, and what it was learnt from. */
interface Learnt {
  known: Knowledge;
  documents: Documents;
  slices: Slices;
  pinned: Pinned;
}

/** What a device holds the service to, from the first time that it saw it. */
export interface Pinned {
  /** The SubjectPublicKeyInfo, in base64, that trust lists are signed by: of the first one that was seen, and none other since. */
  anchor?: string;
  /** The highest version of each document that came signed. None is taken unsigned again, or older. */
  signed: Partial<Record<Name, number>>;
}

let learnt: Learnt | undefined;

/** What was kept on an earlier visit, if all of it is there, proved as if it came from the service. */
export async function kept(): Promise<{ known: Knowledge; synced: store.Synced } | undefined> {
  const [synced, documents, slices] = await Promise.all([store.synced(), store.documents(), store.slices()]);
  if (!synced || !DOCUMENTS.every((name) => documents.has(name))) return undefined;
  remember(synced.at);
  const bytes = Object.fromEntries(documents) as Documents;
  // They were proved to be good at that time, and it is by that time that they are looked at.
  learnt ??= await learn(bytes, synced.pinned, synced.at, async ({ id }) => slices.get(id));
  return { known: learnt.known, synced };
}

/** What the service has now. `room`: whether it could be kept. Errors: `Unreachable`, `Refused`, `Malformed`; what was known stays. */
export async function sync(): Promise<{ known: Knowledge; synced: store.Synced; room: boolean }> {
  const [trust, rules, index] = await Promise.all(DOCUMENTS.map((name) => load(`/v1/${name}`, MAX_DOCUMENT)));
  const documents = { 'trust-list': trust, rules, revocations: index } as Documents;
  const [before, pinned] = [learnt?.slices, learnt?.pinned ?? (await pinnedEarlier())];
  const slice = async ({ id, bytes }: SliceRef) => before?.get(id) ?? load(`/v1/revocations/${id}`, bytes);
  const fresh = await learn(documents, pinned, now(), slice);
  learnt = fresh;
  const synced: store.Synced = { at: now(), ahead: deviceNow() - now(), pinned: fresh.pinned };
  const room = await store.replace(synced, new Map(Object.entries(documents)), fresh.slices).then(
    () => true,
    () => false,
  );
  return { known: fresh.known, synced, room };
}

/** What the device held the service to on an earlier visit, whatever has become of the rest. */
async function pinnedEarlier(): Promise<Pinned> {
  const synced = await store.synced().catch(() => undefined);
  return synced?.pinned ?? { signed: {} };
}

/** Forgets all, the anchor too: the next list that comes is believed. */
export async function forget(): Promise<void> {
  learnt = undefined;
  await store.clear();
}

/** Makes knowledge of documents that are signed as they should be, none older than what was seen before.
 *
 *  `at`: when they were proved first: who might sign then still has signed, even if not now.
 *
 *  `fetch`: a slice's bytes, or nothing if it is not at hand. */
async function learn(
  documents: Documents,
  before: Pinned,
  at: number,
  fetch: (slice: SliceRef) => Promise<Uint8Array<ArrayBuffer> | undefined>,
): Promise<Learnt> {
  const signed: Pinned['signed'] = {};
  const today = Math.max(at, now());
  const parsed = async <T extends { version: number }>(name: Name, signers: Promise<Signer>[]): Promise<T> => {
    const [bytes, least] = [documents[name], before.signed[name]];
    if (!isSigned(bytes) && least !== undefined) throw new Refused('unsigned');
    const opened = isSigned(bytes) ? await open(name, bytes, await Promise.all(signers), today, least ?? 0) : undefined;
    const document = JSON.parse(new TextDecoder().decode(opened?.payload ?? bytes)) as T;
    if (opened && opened.version !== document.version) throw new Refused('malformed');
    if (opened) signed[name] = opened.version;
    return document;
  };
  const anchor = before.anchor ?? (isSigned(documents['trust-list']) ? anchorOf(documents['trust-list']) : undefined);
  const trust = await parsed<TrustListDocument>('trust-list', anchor === undefined ? [] : [signer(anchor)]);
  const timely = trust.publishers?.filter(({ from, until }) => (from ?? -Infinity) <= today && at <= (until ?? Infinity)) ?? [];
  const publishers = timely.map(({ public_key }) => signer(public_key));
  const rules = await parsed<Rules>('rules', publishers);
  const index = await parsed<Index>('revocations', publishers);
  const slices: Slices = new Map();
  for (const slice of wanted(index)) {
    const bytes = await fetch(slice);
    // The digest in the signed index is what signs a slice.
    if (bytes && (await sliceId(bytes)) === slice.id) slices.set(slice.id, bytes);
  }
  const pinned: Pinned = { signed, ...(anchor !== undefined && { anchor }) };
  return { known: { trust: trustList(trust), rules, revocations: revocations(index, slices) }, documents, slices, pinned };
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
    const headers = { Accept: 'application/cose, */*;q=0.5' };
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
