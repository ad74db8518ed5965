// The citizen of this page: what the service knows of them and their family, and the cards that can be shown.
import { type Schemas, api as open, apiAs, download, onOver } from '../api/client';
import { citizen as session } from '../shared/session.svelte';
import { type KeptCard, forgetAll, forgetOthers, keepCards, keepNothing, keepsNothing, keptCards, onForgotten } from './kept';
import { go } from './route.svelte';
import { type Certificate, type Person, certificateOf } from './status';

export const api = apiAs('citizen');

export type Correction = Schemas['CorrectionAnswer'];

/** `unknown` until the service has answered, `away` if it cannot be reached. */
type Presence = 'unknown' | 'in' | 'out' | 'away';

const kept = keptCards();
/** Whose records these are. */
let owner = $state.raw<string>();
let people = $state.raw<Person[]>([]);
let corrections = $state.raw<Correction[]>([]);
let products = $state.raw<Schemas['ProductDocument'][]>([]);
let cards = $state.raw<KeptCard[]>(kept?.cards ?? []);
/** Whose cards they are. */
let holder = kept?.owner;
let keptAt = $state.raw(kept?.at);
let declined = $state.raw(keepsNothing());
/** Whether the last time that the records were asked for they came. */
let reached = $state.raw(true);
/** The number that was logged in with on this visit; the service does not tell it. */
let phone = $state.raw('');

onOver('citizen', () => {
  owner = undefined;
  people = [];
  corrections = [];
});

// The cards were taken off this device in another tab.
onForgotten(() => {
  [cards, keptAt, declined] = [[], undefined, keepsNothing()];
  void citizen.reload();
});

export const citizen = {
  get presence(): Presence {
    if (session.now === null) return 'out';
    if (session.now && !session.remembered && owner === session.now.subject) return 'in';
    return session.failed || session.remembered || !reached ? 'away' : 'unknown';
  },
  /** Whether somebody is logged in whose records were not asked for yet: in another tab, or just now. */
  get awaited(): boolean {
    return Boolean(session.now) && !session.remembered && owner !== session.now?.subject;
  },
  get reached(): boolean {
    return reached;
  },
  /** The account, by which what is kept here is told apart. */
  get owner(): string {
    return owner ?? '';
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

  /** Finds out who is logged in; what there is to show of them is asked for after that. */
  async load(): Promise<void> {
    reached = true;
    await session.load();
  },

  /** The session was opened with this number. */
  async entered(number: string): Promise<void> {
    phone = number;
    await citizen.load();
  },

  /** Asks for the records: at first, and after something was changed. */
  async reload(): Promise<void> {
    const { subject } = session.now ?? {};
    if (subject === undefined) return;
    try {
      await refresh(subject);
      reached = true;
    } catch {
      reached = session.now?.subject !== subject;
    }
  },

  /** Ends the session, and forgets all that this device keeps. Gives what went wrong, if anything did: then nothing is forgotten. */
  async leave(): Promise<unknown> {
    const wrong = await session.end();
    if (wrong !== undefined) return wrong;
    forgetAll();
    cards = [];
    keptAt = undefined;
    declined = false;
    phone = '';
    owner = undefined;
    people = [];
    corrections = [];
    go();
    return undefined;
  },

  /** Takes the cards off this device and keeps none, or keeps them again. */
  keep(wanted: boolean): void {
    keepNothing(!wanted);
    declined = !wanted;
    if (wanted) return keepNow();
    keptAt = undefined;
    if (citizen.presence !== 'in') cards = [];
  },
};

async function refresh(subject: string): Promise<void> {
  // Nobody sees another's cards, not even until their own are there.
  forgetOthers(subject);
  if (holder !== subject) [holder, cards, keptAt, people, corrections] = [subject, [], undefined, [], []];
  const another = () => session.now?.subject !== subject;
  const [records, told, known] = await Promise.all([
    api.GET('/v1/people/me'),
    api.GET('/v1/corrections'),
    products.length ? undefined : open.GET('/v1/reference/products'),
  ]);
  if (another()) return;
  if (!records.data || !told.data) throw records.error ?? told.error;
  if (known?.data) products = known.data;
  const found = records.data as Person[];
  const made = await Promise.all(found.map((person) => cardOf(person, certificateOf(person))));
  if (another()) return;
  people = found;
  corrections = told.data.corrections;
  cards = made.filter((card) => card !== undefined);
  owner = subject;
  keepNow();
}

function keepNow(): void {
  const at = Math.floor(Date.now() / 1000);
  keptAt = cards.length && keepCards({ owner: citizen.owner, at, cards }) ? at : undefined;
  if (keptAt) void navigator.storage?.persist?.();
}

/** The card that shows a certificate; its picture is fetched once. */
async function cardOf(person: Person, certificate: Certificate | undefined): Promise<KeptCard | undefined> {
  if (!certificate?.text) return undefined;
  const { uvci, text } = certificate;
  const before = cards.find((card) => card.uvci === uvci && card.text === text);
  const svg = before?.svg ?? (await pictureOf(uvci));
  if (svg === undefined) return undefined;
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

/** The QR code of a certificate as SVG; nothing if the service refuses it. Throws where there is no network. */
async function pictureOf(uvci: string): Promise<string | undefined> {
  try {
    return await (await download('citizen', `/v1/certificates/${encodeURIComponent(uvci)}.svg`)).text();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    return undefined;
  }
}
