// The service worker: keeps the files of the pages that were opened on this device, and opens them without a network.
// It touches nothing but these files: what a page shows comes from /v1 and is the page's own to keep.

interface Kept {
  /** Another build, another version. */
  version: string;
  /** For each page's path the files that it is made of. */
  files: Record<string, string[]>;
}

// The scope of a service worker is not among the types of documents.
interface Scope {
  addEventListener(type: 'install' | 'activate', listener: (event: Lasting) => void): void;
  addEventListener(type: 'message', listener: (event: Lasting & MessageEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetched) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  location: Location;
}
interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetched extends Event {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}
const scope = self as unknown as Scope;

// Put in by build/kept.ts.
const kept = JSON.parse('__KEPT__') as Kept;
const NAME = `pages-${kept.version}`;
const ours = (name: string) => name.startsWith('pages-');

/** Keeps a page and its files. The files are named by their content: the browser has them already, and no byte is sent twice. */
async function keep(path: string): Promise<void> {
  const files = kept.files[path];
  if (!files) return;
  const cache = await caches.open(NAME);
  const missing = [];
  for (const file of [path, ...files]) {
    if (!(await cache.match(file))) missing.push(file);
  }
  await cache.addAll(missing);
}

/** The pages that an earlier build's worker kept. */
async function earlier(): Promise<string[]> {
  const pages = new Set<string>();
  for (const name of (await caches.keys()).filter(ours)) {
    for (const request of await (await caches.open(name)).keys()) {
      const { pathname } = new URL(request.url);
      if (kept.files[pathname]) pages.add(pathname);
    }
  }
  return [...pages];
}

// A new build takes over only once it has all that the old one had; until then the old one goes on.
scope.addEventListener('install', (event) => {
  event.waitUntil(
    earlier()
      .then((pages) => Promise.all(pages.map(keep)))
      .then(() => scope.skipWaiting()),
  );
});

scope.addEventListener('activate', (event) => {
  const outdated = async () => (await caches.keys()).filter((name) => ours(name) && name !== NAME);
  event.waitUntil(
    outdated()
      .then((names) => Promise.all(names.map((name) => caches.delete(name))))
      .then(() => scope.clients.claim()),
  );
});

scope.addEventListener('message', (event) => {
  const path: unknown = (event.data as { keep?: unknown } | null)?.keep;
  if (typeof path === 'string') event.waitUntil(keep(path).catch(() => undefined));
});

scope.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  const page = kept.files[url.pathname] !== undefined;
  const file = url.pathname.startsWith('/assets/') || url.pathname.startsWith('/app/');
  if (event.request.method !== 'GET' || url.origin !== scope.location.origin || !(page || file)) return;
  const answer = async () => {
    const cache = await caches.open(NAME);
    return (await cache.match(url.pathname)) ?? fetch(event.request);
  };
  event.respondWith(answer());
});
