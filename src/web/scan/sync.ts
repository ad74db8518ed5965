// Fetches what the device verifies by, checks it, keeps it, and reads back what was kept.
import { hear, deviceNow, now, remember } from './time';
import * as store from './store';
import { type Knowledge } from '../verify/verify';
import { type TrustListDocument, trustList } from '../verify/trust';
import type { Rules } from '../verify/rules';

/** A document of the service could not be had; what is kept goes on. */
export class Unreachable extends Error {}

const TRUST = 'trust-list';
const RULES = 'rules';

type Documents = Record<typeof TRUST | typeof RULES, Uint8Array<ArrayBuffer>>;

/** What was kept on an earlier visit, if all of it is there. */
export async function kept(): Promise<{ known: Knowledge; synced: store.Synced } | undefined> {
  const synced = await store.get<store.Synced>('synced');
  const trust = await store.get<store.Kept>(TRUST);
  const rules = await store.get<store.Kept>(RULES);
  if (!synced || !trust || !rules) return undefined;
  remember(synced.at);
  return { known: knowledge({ [TRUST]: trust.bytes, [RULES]: rules.bytes }), synced };
}

/** What the service has now. `room`: whether it could be kept. Errors: `Unreachable`. */
export async function sync(): Promise<{ known: Knowledge; synced: store.Synced; room: boolean }> {
  const documents = { [TRUST]: await load('/v1/trust-list'), [RULES]: await load('/v1/reference/products') };
  const known = knowledge(documents);
  const synced: store.Synced = { name: 'synced', at: now(), ahead: deviceNow() - now() };
  const put: store.Kept[] = Object.entries(documents).map(([name, bytes]) => ({ name, bytes, version: 0 }));
  const room = await store.change([...put, synced] as { name: string }[]).then(
    () => true,
    () => false,
  );
  return { known, synced, room };
}

function knowledge(documents: Documents): Knowledge {
  const parsed = <T>(bytes: Uint8Array<ArrayBuffer>) => JSON.parse(new TextDecoder().decode(bytes)) as T;
  const products = parsed<Rules['products']>(documents[RULES]);
  return {
    trust: trustList(parsed<TrustListDocument>(documents[TRUST])),
    rules: {
      version: 1,
      products,
      card: { days_after_last_dose: 0, boosters_wait: false, complete_by: 'certificate' },
      acceptance: { vaccination: { green_only: false }, test: { max_age_hours: 72 }, recovery: { days_after_positive: 0 } },
    },
    revocations: { version: 0, standing: () => 'good' },
  };
}

/** Longer than that nobody waits at a checkpoint, in milliseconds. */
const PATIENCE_MS = 15_000;

async function load(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(path, { cache: 'no-cache', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) throw new Unreachable();
    const date = Date.parse(response.headers.get('Date') ?? '');
    if (!Number.isNaN(date)) hear(date / 1000);
    return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Unreachable();
  }
}
