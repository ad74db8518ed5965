// What the desk keeps on the device, in IndexedDB: the key, doses that wait to be sent, the day's list. People are in it sealed only.

/** A dose on the device: what is not sealed says nothing of its person. */
export interface KeptDose {
  /** In the order in which they were recorded. */
  seq: number;
  /** The facility that was logged in: for it alone it is sent. */
  facility: string;
  record_no: string;
  /** When it was recorded, in seconds since 1970. */
  at: number;
  state: 'waiting' | 'refused';
  /** Why the service refused it. */
  why?: Refusal;
  sealed: Sealed;
}

/** Why the service refused a dose, in its words. */
export interface Refusal {
  code: string;
  detail: string;
  field?: string;
}

/** Bytes that only this browser opens. */
export interface Sealed {
  iv: Uint8Array<ArrayBuffer>;
  bytes: ArrayBuffer;
}

/** The list of a facility's people. */
export interface KeptList {
  /** The day that it is for. */
  day: string;
  sealed: Sealed;
}

const STORES = { keys: {}, doses: { keyPath: 'seq', autoIncrement: true }, lists: {} } satisfies Record<string, IDBObjectStoreParameters>;
type Name = keyof typeof STORES;

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('thexanh.desk', 1);
    request.onupgradeneeded = () => {
      for (const [name, options] of Object.entries(STORES)) request.result.createObjectStore(name, options);
    };
    request.onsuccess = () => {
      // The browser may close it, when it clears up or the disk fails.
      request.result.onclose = () => (opened = undefined);
      resolve(request.result);
    };
    request.onerror = () => reject(request.error ?? new Error('IndexedDB'));
  });
  return opened;
}

/** A transaction; where the database cannot be used any more, on one that is opened again. */
async function begun(name: Name, mode: IDBTransactionMode): Promise<IDBTransaction> {
  const begin = async () => (await database()).transaction(name, mode, { durability: 'strict' });
  try {
    return await begin();
  } catch {
    opened = undefined;
    return begin();
  }
}

/** Runs one request in a transaction of its own and gives its result once it is on the disk. */
async function run<T>(name: Name, mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = await begun(name, mode);
  const request = ask(transaction.objectStore(name));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB'));
  });
}

/** The key, if there is one. */
export const key = () => run('keys', 'readonly', (store) => store.get('key') as IDBRequest<CryptoKey | undefined>);

/** Keeps a key if there is none; another tab may have been faster. */
export async function keepKey(made: CryptoKey): Promise<void> {
  await run('keys', 'readwrite', (store) => store.add(made, 'key')).catch(() => undefined);
}

/** Every dose, in order. */
export const doses = () => run('doses', 'readonly', (store) => store.getAll() as IDBRequest<KeptDose[]>);

/** Keeps a dose: a new one, or one in its place. Gives its number. */
export const keepDose = (dose: Omit<KeptDose, 'seq'> & { seq?: number }) =>
  run('doses', 'readwrite', (store) => store.put(dose) as IDBRequest<number>);

/** Forgets a dose. */
export const dropDose = (seq: number) => run('doses', 'readwrite', (store) => store.delete(seq));

/** A facility's list, if one is kept. */
export const list = (facility: string) =>
  run('lists', 'readonly', (store) => store.get(facility) as IDBRequest<KeptList | undefined>);

export const keepList = (facility: string, kept: KeptList) => run('lists', 'readwrite', (store) => store.put(kept, facility));

/** Forgets every facility's list. */
export const dropLists = () => run('lists', 'readwrite', (store) => store.clear());
