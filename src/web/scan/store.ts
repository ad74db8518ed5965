// What the device keeps of the service, in IndexedDB: public documents alone, nothing of any person.

/** A public document as it came. */
export interface Kept {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
  version: number;
}

/** When what is kept was last found up to date, and how the device's clock stood then. */
export interface Synced {
  name: 'synced';
  /** The server's time, in seconds since 1970. */
  at: number;
  /** By how many seconds the device's clock ran ahead of it. */
  ahead: number;
}

const STORE = 'documents';

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
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'name' });
    done(request).then(resolve, reject);
  });
  return opened;
}

/** What is kept under a name, if anything is. */
export async function get<T extends { name: string }>(name: T['name']): Promise<T | undefined> {
  const store = (await database()).transaction(STORE).objectStore(STORE);
  return done(store.get(name)) as Promise<T | undefined>;
}

/** Keeps all of these and forgets those names, or nothing changes. Rejects if there is no room. */
export async function change(put: { name: string }[], forget: string[] = []): Promise<void> {
  const transaction = (await database()).transaction(STORE, 'readwrite');
  const store = transaction.objectStore(STORE);
  for (const document of put) store.put(document);
  for (const name of forget) store.delete(name);
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB'));
  });
}
