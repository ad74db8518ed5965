// Vaccination sites: the names of those whose codes a page has, and those of a province, each asked for when it is needed.
import { SvelteMap } from 'svelte/reactivity';
import { api, type Schemas } from '../api/client';
import { plain } from './plain';

export type Facility = Schemas['FacilityDocument'];

const names = new SvelteMap<string, string>();
const provinces = new Map<string, Promise<Facility[]>>();

/** What a facility is called; its code until that is known. */
export function facilityName(code: string): string {
  return names.get(code) ?? code;
}

/** Finds out what these are called; without a network they stay codes. */
export async function learnFacilities(codes: Iterable<string>): Promise<void> {
  const unknown = [...new Set(codes)].filter((code) => code && !names.has(code)).slice(0, 100);
  if (!unknown.length) return;
  const query = { code: unknown.join(',') };
  const { data } = await api.GET('/v1/reference/facilities', { params: { query } }).catch(() => ({ data: undefined }));
  data?.forEach(({ code, name }) => names.set(code, name));
}

/** The facilities of a province whose name or code holds `text`, typed with marks or without; twenty at most. */
export async function findFacilities(province: string, text: string): Promise<Facility[]> {
  let all = provinces.get(province);
  if (!all) {
    all = api.GET('/v1/reference/facilities', { params: { query: { province } } }).then(({ data, error }) => {
      if (!data) throw error;
      return data;
    });
    provinces.set(province, all);
    all.catch(() => provinces.delete(province));
  }
  const wanted = plain(text).split(/\s+/);
  const fits = ({ code, name }: Facility) => code === text.trim() || wanted.every((word) => plain(name).includes(word));
  const found = (await all).filter(fits).slice(0, 20);
  found.forEach(({ code, name }) => names.set(code, name));
  return found;
}
