// What the device keeps of the service, in IndexedDB: public documents alone, nothing of any person.
import type { Pinned } from './sync';

/** When what is kept was last found up to date, how the device's clock stood then, and whose signatures count. */
export interface Synced {
  /** The server's time, in seconds since 1970. */
  at: number;
  /** By how many seconds the device's clock ran ahead of it. */
  ahead: number;
  pinned: Pinned;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Signed documents by their names, slices of revocations by their ids, and one record of when they came. */
const STORES = ['documents', 'slices', 'synced'] as const;
type Name = (typeof STORES)[number];

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB'));
  });
}

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('thexanh.scan', 1);
    request.onupgradeneeded = () => STORES.forEach((name) => request.result.createObjectStore(name));
    done(request).then(resolve, reject);
  });
  return opened;
}

async function all(name: Name): Promise<Map<string, Bytes>> {
  const store = (await database()).transaction(name).objectStore(name);
  const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
  return new Map(keys.map((key, at) => [String(key), values[at] as Bytes]));
}

/** Every signed document, by its name. */
export const documents = () => all('documents');

/** Every slice, by its id. */
export const slices = () => all('slices');

/** When what is kept was up to date; nothing if nothing is kept. */
export async function synced(): Promise<Synced | undefined> {
  const store = (await database()).transaction('synced').objectStore('synced');
  return (await done(store.get('last'))) as Synced | undefined;
}

/** Keeps these and nothing else, or changes nothing. Rejects if there is no room. */
export async function replace(synced: Synced, documents: Map<string, Bytes>, slices: Map<string, Bytes>): Promise<void> {
  const held = new Set((await all('slices')).keys());
  await change((store) => {
    store('synced').put(synced, 'last');
    documents.forEach((bytes, name) => store('documents').put(bytes, name));
    held.forEach((id) => !slices.has(id) && store('slices').delete(id));
    // A slice never changes: those that are held are not written again.
    slices.forEach((bytes, id) => !held.has(id) && store('slices').put(bytes, id));
  });
}

/** Forgets all. */
export function clear(): Promise<void> {
  return change((store) => STORES.forEach((name) => store(name).clear()));
}

async function change(make: (store: (name: Name) => IDBObjectStore) => void): Promise<void> {
  const transaction = (await database()).transaction(STORES, 'readwrite');
  const finished = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB'));
  });
  make((name) => transaction.objectStore(name));
  await finished;
}
