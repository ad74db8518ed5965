// The page's worker: reads frames, verifies texts by what the device knows, keeps that knowledge fresh, and asks the server too.
import { type Rules } from '../verify/rules';
import { signer } from '../verify/signed';
import { type Knowledge, type Verdict, verify } from '../verify/verify';
import { type Ask, DOUBT_AFTER, type State, type Told } from './messages';
import { load, readFrame, readPicture } from './reader';
import * as sync from './sync';
import type { Synced } from './store';
import { deviceNow, now } from './time';

const tell = (told: Told) => postMessage(told);

let known: Knowledge | undefined;
let synced: Synced | undefined;
let syncing: Promise<void> | undefined;
let anchor: string | undefined;
let trouble: State['trouble'];

/** When each code was last in view, so that one that stays there is answered once, and two side by side once each. */
const seen = new Map<string, number>();
/** For how long a code must be out of view to be answered again, in milliseconds. */
const AWAY_MS = 2_500;
let code = 0;

function tellState(): void {
  const state: State = { now: now(), ahead: deviceNow() - now(), syncing: syncing !== undefined, trouble };
  if (known) state.as_of = { trust: known.trust.version, revocations: known.revocations.version, rules: known.rules.version };
  if (anchor !== undefined) state.anchor = anchor;
  if (synced) {
    state.syncedAt = synced.at;
    // Before the server is heard on this visit the clock is judged by what it was.
    if (Math.abs(state.ahead) < 60) state.ahead = Math.abs(synced.ahead) < 60 ? state.ahead : synced.ahead;
  }
  tell({ told: 'state', state });
}

async function adopt(learnt: { known: Knowledge; synced: Synced }): Promise<void> {
  const { anchor: spki } = learnt.synced.pinned;
  anchor = spki === undefined ? undefined : (await signer(spki)).kid;
  ({ known, synced } = learnt);
}

async function refresh(): Promise<void> {
  try {
    const fresh = await sync.sync();
    await adopt(fresh);
    trouble = fresh.room ? undefined : 'storage';
  } catch (error) {
    trouble = error instanceof sync.Unreachable ? 'unreachable' : 'untrusted';
  }
}

function startSync(): Promise<void> {
  syncing ??= refresh().finally(() => {
    syncing = undefined;
    tellState();
  });
  tellState();
  return syncing;
}

const earlier = sync.kept().then(
  async (kept) => {
    if (!kept || known) return;
    await adopt(kept);
    tellState();
  },
  // What was kept cannot be read, or nothing may be kept here: it is fetched anew.
  () => undefined,
);

/** What is known: as it was kept, else as it is fetched. */
async function knowledge(): Promise<Knowledge | undefined> {
  await earlier;
  if (!known) await startSync();
  return known;
}

function productName(verdict: Verdict, rules: Rules): string | undefined {
  return rules.products.find((row) => row.code === verdict.certificate?.product)?.name;
}

async function judge(text: string, at: number): Promise<void> {
  const number = ++code;
  const told = (by: 'device' | 'server', verdict: Verdict, by_: Knowledge | undefined) => {
    const product = by_ && productName(verdict, by_.rules);
    const stale = by === 'device' && now() - (synced?.at ?? 0) > DOUBT_AFTER;
    tell({ told: 'verdict', code: number, by, verdict, at, stale, ...(product !== undefined && { product }) });
  };
  const server = askServer(text);
  const own = await knowledge();
  if (own) told('device', await verify(text, own, now()), own);
  const verdict = await server;
  if (verdict) told('server', verdict, own);
  else tell({ told: 'alone', code: number });
}

/** Longer than that nobody waits for a second opinion, in milliseconds. */
const SERVER_PATIENCE_MS = 5_000;

async function askServer(text: string): Promise<Verdict | undefined> {
  if (!navigator.onLine) return undefined;
  try {
    const headers = { 'Content-Type': 'text/plain' };
    const signal = AbortSignal.timeout(SERVER_PATIENCE_MS);
    const response = await fetch('/v1/verify', { method: 'POST', headers, body: text, signal });
    return response.ok ? ((await response.json()) as Verdict) : undefined;
  } catch {
    return undefined;
  }
}

async function frame(picture: ImageBitmap | ImageData, at: number): Promise<void> {
  // A frame that cannot be read is a frame without a code: the next one comes at once.
  const text = await readFrame(picture).catch(() => undefined);
  tell({ told: 'ready' });
  for (const [other, then] of seen) if (at - then > AWAY_MS) seen.delete(other);
  if (text === undefined) return;
  const isNew = !seen.has(text);
  seen.set(text, at);
  if (isNew) await judge(text, at);
}

async function picture(file: Blob, at: number): Promise<void> {
  const text = await readPicture(file).catch(() => null);
  if (typeof text === 'string') return judge(text, at);
  tell({ told: 'nothing', why: text === null ? 'no_picture' : 'no_code' });
}

self.onmessage = ({ data }: MessageEvent<Ask>) => {
  switch (data.ask) {
    case 'frame':
      return void frame(data.picture, data.at);
    case 'picture':
      return void picture(data.file, data.at);
    case 'text':
      return void judge(data.text, data.at);
    case 'sync':
      return void startSync();
    case 'relearn':
      [known, synced] = [undefined, undefined];
      return void sync.forget().then(startSync);
    case 'forget':
      seen.clear();
  }
};

/** How often the service is asked what is new, in milliseconds. */
const SYNC_EVERY_MS = 60_000;

self.addEventListener('online', () => void startSync());
setInterval(() => (navigator.onLine ? void startSync() : tellState()), SYNC_EVERY_MS);
load().then(
  () => tell({ told: 'ready' }),
  () => tell({ told: 'broken' }),
);
void earlier.then(startSync);
