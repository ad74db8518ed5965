// Whom the desk has before it: the day's sessions, those who were vaccinated here before, what was recorded today. Found on the
// device, in memory; kept sealed so that a page that is loaded again without a network still has it.
import { type Schemas, apiAs, worded } from '../api/client';
import { keep, recall } from '../shared/device';
import { plain } from '../shared/plain';
import { today } from './dates';
import type { Before } from './draft';
import { type Indexed, indexed, means } from './fold';
import { dropLists, keepList, list } from './keep/database';
import { dayPrefix } from './keep/number';
import { seal, unseal } from './keep/seal';

export type Listed = Schemas['ListedDose'];
type Placed = Schemas['PlacedPerson'];
type Session = Schemas['SessionList']['sessions'][number];
export type Product = Schemas['ProductDocument'];

/** Somebody whom the device knows. */
export interface Known {
  id: string;
  name: string;
  birth: string;
  sex?: string | undefined;
  phone?: string | undefined;
  ends?: string | undefined;
  before: Before[];
  /** When they were placed in a session of today; absent for those who were here before. */
  session?: string;
  /** Vaccinated here today. */
  given: boolean;
}

/** What is kept sealed on the device. */
interface Kept {
  sessions: { session: Session; people: Placed[] }[];
  doses: Listed[];
}

/** How many of the doses of earlier days are looked through, in pages of 500. */
const PAGES = 4;
/** How many people are shown at once. */
export const SHOWN = 8;

class Site {
  #kept = $state.raw<Kept>({ sessions: [], doses: [] });
  /** What may be given: the same for everybody, and at hand on any day. */
  products = $state.raw(productsKept());
  /** How the list is: asked for, as the service has it, or from the device. */
  state = $state.raw<'loading' | 'fresh' | 'kept'>('loading');
  trouble = $state.raw<string>();
  /** Raised when the lists are asked for anew or forgotten: what was asked for before may be another site's. */
  #turn = 0;

  readonly sessions = $derived(this.#kept.sessions.map(({ session }) => session));
  /** What this facility's desks recorded today, the latest first. */
  readonly todays = $derived(this.#kept.doses.filter(({ record_no }) => record_no.startsWith(dayPrefix())));
  readonly people = $derived(peopleOf(this.#kept));
  readonly #index = $derived(indexOf(this.people, this.#kept.doses));

  /** Those whom `query` means, of today's session first; all of the session where nothing is asked. */
  find(query: string): Known[] {
    if (query.trim() === '') {
      const placed = this.people.filter(({ session }) => session !== undefined);
      return placed.sort((a, b) => Number(a.given) - Number(b.given));
    }
    const found = this.#index.filter(([, index]) => means(query, index)).map(([known]) => known);
    return found.sort((a, b) => Number(b.session !== undefined) - Number(a.session !== undefined));
  }

  product(code: string): Product | undefined {
    return this.products.find((product) => product.code === code);
  }

  /** A dose was recorded, changed or voided: the lists say so at once. */
  async refresh(facility: string): Promise<void> {
    const turn = this.#turn;
    try {
      const doses = await page(dayPrefix());
      if (turn !== this.#turn) return;
      const earlier = this.#kept.doses.filter(({ record_no }) => !record_no.startsWith(dayPrefix()));
      this.#kept = { ...this.#kept, doses: [...doses.doses, ...earlier] };
      await this.#keep(facility, turn);
    } catch {
      // The list is a little older, then.
    }
  }

  /** Loads what there is: from the device at once, from the service when it answers. */
  async load(facility: string): Promise<void> {
    const turn = ++this.#turn;
    this.#kept = { sessions: [], doses: [] };
    this.state = 'loading';
    const kept = await list(facility).catch(() => undefined);
    const lists = kept?.day === today() ? await unseal<Kept>(kept.sealed, facility).catch(() => undefined) : undefined;
    if (turn !== this.#turn) return;
    if (lists) {
      this.#kept = lists;
      this.state = 'kept';
    }
    try {
      const { products, ...lists } = await fetched();
      if (turn !== this.#turn) return;
      this.products = products;
      keep(PRODUCTS, JSON.stringify(products));
      this.#kept = lists;
      this.state = 'fresh';
      this.trouble = undefined;
      await this.#keep(facility, turn);
      await this.#earlier(facility, turn);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.trouble = worded(error);
      if (this.state === 'loading') this.state = 'kept';
    }
  }

  /** Whom the desk vaccinated on earlier days, when all else is there. */
  async #earlier(facility: string, turn: number): Promise<void> {
    let after: string | undefined;
    for (let pages = 0; pages < PAGES; pages++) {
      const { doses, next } = await page('D', after);
      if (turn !== this.#turn) return;
      const known = new Set(this.#kept.doses.map(({ dose }) => dose));
      this.#kept = { ...this.#kept, doses: [...this.#kept.doses, ...doses.filter(({ dose }) => !known.has(dose))] };
      after = next ?? undefined;
      if (after === undefined) break;
    }
    await this.#keep(facility, turn);
  }

  async #keep(facility: string, turn: number): Promise<void> {
    try {
      const sealed = await seal(this.#kept, facility);
      // One site's people at most are on a device, and those of one day.
      await dropLists();
      if (turn !== this.#turn) return;
      await keepList(facility, { day: today(), sealed });
    } catch {
      // Then a page that is loaded without a network has no list.
    }
  }

  /** Forgets everybody, here and on the device: somebody logs out, or another facility in. */
  async forget(): Promise<void> {
    this.#turn += 1;
    this.#kept = { sessions: [], doses: [] };
    this.state = 'loading';
    await dropLists().catch(() => undefined);
  }
}

const PURPOSE = 'the list of the vaccination desk';

async function page(record_no: string, after?: string): Promise<Schemas['DosePage']> {
  const query = { record_no, limit: 500, purpose: PURPOSE, ...(after !== undefined && { after }) };
  return got(await apiAs('staff').GET('/v1/doses', { params: { query } }));
}

const PRODUCTS = 'desk.products';

function productsKept(): Product[] {
  try {
    return JSON.parse(recall(PRODUCTS) ?? '[]') as Product[];
  } catch {
    return [];
  }
}

async function fetched(): Promise<Kept & { products: Product[] }> {
  const query = { from: today(), to: today() };
  const [products, listed, doses] = await Promise.all([
    apiAs('staff').GET('/v1/reference/products').then(got),
    apiAs('staff').GET('/v1/appointments/sessions', { params: { query } }).then(got),
    page(dayPrefix()),
  ]);
  const detail = async (session: Session) => {
    const params = { path: { session: session.session }, query: { purpose: PURPOSE } };
    const { people } = got(await apiAs('staff').GET('/v1/appointments/sessions/{session}', { params }));
    return { session, people };
  };
  return { products, sessions: await Promise.all(listed.sessions.map(detail)), doses: doses.doses };
}

/** What was answered. Rejects with the problem if it was none. */
function got<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw error;
  return data;
}

function peopleOf({ sessions, doses }: Kept): Known[] {
  const found = new Map<string, Known>();
  for (const { session, people } of sessions) {
    for (const { person, name, birth, sex, phone, identity_ends, doses } of people) {
      const when = `${session.begins}–${session.ends}`;
      found.set(person, { id: person, name, birth, sex: sex ?? undefined, phone: phone ?? undefined, ends: identity_ends ?? undefined, before: doses, session: when, given: false });
    }
  }
  for (const dose of doses) {
    if (dose.voided) continue;
    const { person, name, birth, sex, phone, identity_ends, record_no } = dose;
    const known = found.get(person) ?? { id: person, name, birth, sex: sex ?? undefined, phone: phone ?? undefined, ends: identity_ends ?? undefined, before: [], given: false };
    const had = known.before.some(({ given_at, product }) => given_at === dose.given_at && product === dose.product);
    const before = had ? known.before : [...known.before, dose].sort((a, b) => a.given_at - b.given_at);
    found.set(person, { ...known, before, given: known.given || record_no.startsWith(dayPrefix()) });
  }
  return [...found.values()];
}

/** Everybody with what of them is looked through. */
function indexOf(people: Known[], doses: Listed[]): [Known, Indexed][] {
  const numbers = new Map<string, string[]>();
  for (const { person, record_no } of doses) numbers.set(person, [...(numbers.get(person) ?? []), plain(record_no)]);
  return people.map((known) => [known, indexed(known.name, [known.phone, known.ends, ...(numbers.get(known.id) ?? [])])]);
}

export const site = new Site();
