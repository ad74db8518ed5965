// Who is logged in on this page, what the service knows of them and their family, and the cards that can be shown.
import { type Schemas, api as open, apiAs, download } from '../api/client';
import { type KeptCard, forgetAll, forgetOthers, keepCards, keepNothing, keepsNothing, keptCards, rememberSession, wasLoggedIn } from './kept';
import { go } from './route.svelte';
import { type Certificate, type Person, certificateOf } from './status';

export const api = apiAs('citizen');
api.use({
  onResponse({ response }) {
    if (response.status === 401 && presence === 'in') out();
  },
});

export type Correction = Schemas['CorrectionAnswer'];

/** `unknown` until the service has answered, `away` if it cannot be reached. */
type Presence = 'unknown' | 'in' | 'out' | 'away';

const kept = keptCards();
let presence = $state.raw<Presence>(wasLoggedIn() ? 'unknown' : 'out');
/** Whether the records are what the service has now. */
let fresh = $state.raw(true);
let owner = $state.raw('');
let people = $state.raw<Person[]>([]);
let corrections = $state.raw<Correction[]>([]);
let cards = $state.raw<KeptCard[]>(kept?.cards ?? []);
let keptAt = $state.raw(kept?.at);
let declined = $state.raw(keepsNothing());
let products = $state.raw<Schemas['ProductDocument'][]>([]);
/** The number that was logged in with on this visit; the service does not tell it. */
let phone = $state.raw('');

export const citizen = {
  get presence(): Presence {
    return presence;
  },
  get fresh(): boolean {
    return fresh;
  },
  /** The account, by which what is kept here is told apart. */
  get owner(): string {
    return owner;
  },
  get people(): Person[] {
    return people;
  },
  get corrections(): Correction[] {
    return corrections;
  },
  get cards(): KeptCard[] {
    return cards;
  },
  /** When the kept cards were up to date; nothing if none are kept. */
  get keptAt(): number | undefined {
    return keptAt;
  },
  get keepsNothing(): boolean {
    return declined;
  },
  get products(): Schemas['ProductDocument'][] {
    return products;
  },
  get phone(): string {
    return phone;
  },
  person(id: string | undefined): Person | undefined {
    return people.find((person) => person.id === id);
  },
  productName(code: string): string {
    return products.find((product) => product.code === code)?.name ?? code;
  },

  /** Finds out who is logged in and what there is to show. */
  async load(): Promise<void> {
    if (!wasLoggedIn()) return out();
    try {
      const { data, response } = await api.GET('/v1/session');
      if (response.status === 401) return out();
      if (!data) throw away();
      owner = data.subject;
      if (forgetOthers(owner)) cards = [];
      rememberSession(true);
      await refresh();
      presence = 'in';
    } catch {
      presence = 'away';
    }
  },

  /** The session was opened with this number. */
  async entered(number: string): Promise<void> {
    phone = number;
    rememberSession(true);
    await citizen.load();
  },

  /** Asks for the records anew, after something was changed. */
  async reload(): Promise<void> {
    await refresh().catch(() => (fresh = false));
  },

  /** Ends the session, and forgets all that this device keeps. */
  async leave(): Promise<void> {
    await api.DELETE('/v1/session').catch(() => undefined);
    forgetKept();
    phone = '';
    out();
    go();
  },

  /** Takes the cards off this device and keeps none, or keeps them again. */
  keep(wanted: boolean): void {
    keepNothing(!wanted);
    declined = !wanted;
    if (wanted) keepNow();
    else {
      keptAt = undefined;
      if (presence !== 'in') cards = [];
    }
  },
};

function away(): TypeError {
  return new TypeError('the service is away');
}

/** The session is over. The cards that are kept stay. */
function out(): void {
  presence = 'out';
  rememberSession(false);
  owner = '';
  people = [];
  corrections = [];
}

function forgetKept(): void {
  forgetAll();
  cards = [];
  keptAt = undefined;
  declined = false;
}

async function refresh(): Promise<void> {
  const [records, told, known] = await Promise.all([
    api.GET('/v1/people/me'),
    api.GET('/v1/corrections'),
    products.length ? undefined : open.GET('/v1/reference/products'),
  ]);
  if (records.response.status === 401) return out();
  if (!records.data || !told.data) throw away();
  if (known?.data) products = known.data;
  people = records.data as Person[];
  corrections = told.data.corrections;
  const certificates = people.map((person) => ({ person, certificate: certificateOf(person) }));
  const made = await Promise.all(certificates.map(({ person, certificate }) => cardOf(person, certificate)));
  cards = made.filter((card) => card !== undefined);
  fresh = true;
  keepNow();
}

function keepNow(): void {
  const at = Math.floor(Date.now() / 1000);
  keptAt = cards.length && keepCards({ owner, at, cards }) ? at : undefined;
  if (keptAt) void navigator.storage?.persist?.();
}

/** The card that shows a certificate; its picture is fetched once. */
async function cardOf(person: Person, certificate: Certificate | undefined): Promise<KeptCard | undefined> {
  if (!certificate?.text) return undefined;
  const { uvci, text } = certificate;
  const before = cards.find((card) => card.uvci === uvci && card.text === text);
  const svg = before?.svg ?? (await (await download('citizen', `/v1/certificates/${encodeURIComponent(uvci)}.svg`)).text());
  const dose = person.doses.at(-1);
  return {
    uvci,
    person: person.id,
    healthNumber: person.health_number,
    name: person.name,
    birth: person.birth,
    dose: certificate.dose,
    series: certificate.series,
    colour: certificate.card === 'green' ? 'green' : 'yellow',
    product: dose && citizen.productName(dose.product),
    givenAt: dose?.given_at,
    expiresAt: certificate.expires_at,
    text,
    svg,
  };
}
