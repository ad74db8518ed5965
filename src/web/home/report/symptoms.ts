// The symptoms that can be reported, as the service lists them, and which of them are signs of danger.
import { api, type Schemas } from '../../api/client';

export type Symptom = Schemas['SymptomDocument'];

let asked: Promise<Symptom[]> | undefined;

/** All of them, asked for once. */
export function knownSymptoms(): Promise<Symptom[]> {
  asked ??= api.GET('/v1/reference/symptoms').then(({ data, error }) => {
    if (!data) throw error;
    return data;
  });
  asked.catch(() => (asked = undefined));
  return asked;
}

/** With these one calls 115 however bad they are said to be: the sudden ones among those that want help at once. */
export const DANGER = new Set(['chest_pain', 'short_of_breath', 'swollen_face', 'fainting', 'seizure']);
