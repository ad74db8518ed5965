// How somebody stands on the way from registering to a full course, and which certificate is theirs to show.
import type { Schemas } from '../api/client';
import { today } from '../shared/days';

export type Person = Schemas['RecordDocument'];
export type Certificate = Schemas['HeldDocument'];
export type Place = Schemas['PlacedDocument'];

export type Standing =
  | 'full'
  | 'begun'
  | 'scheduled'
  | 'called'
  | 'no_answer'
  | 'declined'
  | 'waiting'
  | 'withdrawn'
  | 'claimed';

/** The certificate in force; of those that only expired the last. */
export function certificateOf(person: Person): Certificate | undefined {
  const last = (state: string) => person.certificates.filter((certificate) => certificate.state === state).at(-1);
  return last('valid') ?? last('expired');
}

/** The next session in which somebody has a place. */
export function nextPlace(person: Person): Place | undefined {
  return person.sessions.find(({ date }) => date >= today());
}

/** How somebody stands. */
export function standing(person: Person): Standing {
  const certificate = certificateOf(person);
  if (certificate?.card === 'green') return 'full';
  if (person.doses.length > 0) return 'begun';
  const status = person.registration?.status;
  if (nextPlace(person)) return 'scheduled';
  switch (status) {
    case undefined:
      return 'claimed';
    case 'called':
    case 'no_answer':
    case 'declined':
    case 'withdrawn':
      return status;
    default:
      return 'waiting';
  }
}

/** How good that is, for the colour of its mark. */
export const MARK: Record<Standing, '' | 'good' | 'warn' | 'bad'> = {
  full: 'good',
  begun: 'warn',
  scheduled: 'good',
  called: '',
  no_answer: 'warn',
  declined: '',
  waiting: '',
  withdrawn: 'bad',
  claimed: '',
};
