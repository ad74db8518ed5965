// The service's API, with types from its own OpenAPI document: `api/schema.d.ts` is made of `openapi.json` at each build.
import createClient, { type Middleware } from 'openapi-fetch';
import { common } from '../words/common';
import { language } from '../words/language.svelte';
import type { components, paths } from './schema';

/** Every schema of the document, by name. */
export type Schemas = components['schemas'];

/** Errors come worded in the language of the page. */
const spoken: Middleware = {
  onRequest({ request }) {
    request.headers.set('Accept-Language', language.now);
    return request;
  },
};

/** The API at this origin: `await api.GET('/v1/reference/provinces')` gives `{ data }` or `{ error }`, a problem document. */
export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin' });
api.use(spoken);

/** What to tell a person of an error that the API answered, or of a network that failed. */
export function worded(error: unknown): string {
  if (error instanceof TypeError) return common().unreachable;
  const problem = error as { detail?: unknown; title?: unknown } | undefined;
  const text = problem?.detail ?? problem?.title;
  return typeof text === 'string' ? text : common().failed;
}
