// Communes found by typing, with marks or without, by their own name, their district's and their province's. The service looks
// and sends the likeliest twenty: all 10,767 would be too much for a cheap phone and a slow network.
import { api, type Schemas } from '../api/client';

/** A commune with the district and the province that it is in. */
export type Commune = Schemas['WardDocument'];

/** The communes that `text` may mean, the likeliest first. Throws what the API answers, or a network's `TypeError`. */
export async function findCommunes(text: string, signal: AbortSignal): Promise<Commune[]> {
  const { data, error } = await api.GET('/v1/reference/wards', { params: { query: { q: text } }, signal });
  if (!data) throw error;
  return data;
}

/** The whole name, as people write it: `Phường Bến Nghé, Quận 1, TP Hồ Chí Minh`. */
export function communeName({ name, district, province }: Commune): string {
  return [name, district.name, provinceName(province.name)].join(', ');
}

/** A province as people write it: without `Tỉnh`, with `TP`. */
export function provinceName(name: string): string {
  return name.replace(/^Tỉnh /, '').replace(/^Thành phố /, 'TP ');
}
