// Backlog files on their way: sent as they are, and their ids remembered, so that a page that is loaded again still shows them.
import { type Schemas, apiAs, download } from '../../api/client';
import { save } from '../../shared/csv';
import { keep, recall } from '../../shared/device';

export type Import = Schemas['ImportDocument'];

const media = (file: File) => (/\.(ndjson|jsonl|json)$/i.test(file.name) ? 'application/fhir+ndjson' : 'text/csv');

/** Sends a file to be imported; with `dryRun` to be checked only. Throws what `worded` words. */
export async function send(file: File, dryRun: boolean): Promise<Import> {
  const { data, error } = await apiAs('staff').POST('/v1/imports', {
    params: { query: { dry_run: dryRun } },
    // As bytes, whatever the document says of its form.
    body: file as unknown as string,
    bodySerializer: (body) => body,
    headers: { 'Content-Type': media(file) },
  });
  if (!data) throw error;
  return data;
}

/** How an import is; nothing where the service cannot say it for the moment. Throws what `worded` words. */
export async function read(id: string): Promise<Import | undefined> {
  const { data, error, response } = await apiAs('staff').GET('/v1/imports/{id}', { params: { path: { id } } });
  if (response.status === 408 || response.status === 429 || response.status >= 500) return undefined;
  if (!data) throw error;
  return data;
}

/** Offers the rows that were not taken as a file. Throws what `worded` words. */
export async function saveRejects(id: string, name: string): Promise<void> {
  save(name, await download('staff', `/v1/imports/${id}/rejects.csv`));
}

const name = (facility: string) => `desk.imports.${facility}`;
/** How many are remembered. */
const MOST = 5;

/** The ids of a facility's imports from this device, the latest first. */
export function remembered(facility: string): string[] {
  return (recall(name(facility)) ?? '').split(' ').filter((id) => /^[0-9a-f-]{36}$/.test(id));
}

export function remember(facility: string, id: string): void {
  keep(name(facility), [id, ...remembered(facility).filter((other) => other !== id)].slice(0, MOST).join(' '));
}
