// The service's API, with types from its own OpenAPI document: `api/schema.d.ts` is made of `openapi.json` at each build.
import createClient, { type Client, type Middleware } from 'openapi-fetch';
import { common } from '../words/common';
import { language } from '../words/language.svelte';
import type { components, paths } from './schema';

/** Every schema of the document, by name. */
export type Schemas = components['schemas'];

/** As whom a page speaks: each has a cookie of their own, which no script can read and this header alone puts to use. */
export type Who = 'staff' | 'citizen';
const SESSION = 'X-Thexanh-Session';

/** Errors come worded in the language of the page. */
const spoken: Middleware = {
  onRequest({ request }) {
    request.headers.set('Accept-Language', language.now);
    return request;
  },
};

function client(as?: Who): Client<paths> {
  const made = createClient<paths>({ baseUrl: '', credentials: 'same-origin', ...(as && { headers: { [SESSION]: as } }) });
  made.use(spoken);
  if (as) {
    made.use({
      onResponse({ response }) {
        if (response.status === 401) over(as);
      },
    });
  }
  return made;
}

/** The API at this origin as anybody: `await api.GET('/v1/reference/provinces')` gives `{ data }` or `{ error }`, a problem document. */
export const api = client();
const clients = { staff: client('staff'), citizen: client('citizen') };

/** The same as whoever is logged in. */
export function apiAs(as: Who): Client<paths> {
  return clients[as];
}

/**
 * A file as whoever is logged in, such as a picture or a PDF: an address alone would not say as whom it is asked for.
 * Throws what `worded` words.
 */
export async function download(as: Who, path: string, init: RequestInit = {}): Promise<Blob> {
  const headers = new Headers(init.headers);
  headers.set(SESSION, as);
  headers.set('Accept-Language', language.now);
  const response = await fetch(path, { ...init, headers });
  if (response.ok) return response.blob();
  if (response.status === 401) over(as);
  throw await response.json().catch(() => undefined);
}

const watching: Record<Who, (() => void)[]> = { staff: [], citizen: [] };
const over = (as: Who) => watching[as].forEach((tell) => tell());

/** Calls `tell` whenever an answer says that nobody is logged in any more. */
export function onOver(as: Who, tell: () => void): void {
  watching[as].push(tell);
}

/** What to tell a person of an error that the API answered, or of a network that failed. */
export function worded(error: unknown): string {
  if (error instanceof TypeError) return common().unreachable;
  const problem = error as { detail?: unknown; title?: unknown } | undefined;
  const text = problem?.detail ?? problem?.title;
  return typeof text === 'string' ? text : common().failed;
}
