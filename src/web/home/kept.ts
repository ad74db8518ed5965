// What this device keeps of the citizen: the cards, so that they can be shown without a network, and a registration that is not
// sent yet. Both are plain, as a card on paper is; both go at log-out, by a button, and when another account logs in here.
import { forget, keep, recall } from '../shared/device';

/** A card as it is shown, with its QR code. */
export interface KeptCard {
  uvci: string;
  person: string;
  healthNumber: string;
  name: string;
  /** ISO 8601, perhaps cut short. */
  birth: string;
  dose: number;
  series: number;
  colour: 'yellow' | 'green';
  /** What the product is called. */
  product: string | undefined;
  /** When the last dose was given, in seconds since 1970. */
  givenAt: number | undefined;
  /** Its last second, since 1970. */
  expiresAt: number;
  /** The QR text. */
  text: string;
  /** The QR code as an SVG document. */
  svg: string;
}

interface Wallet {
  /** Whose account. */
  owner: string;
  /** When it was up to date, in seconds since 1970. */
  at: number;
  cards: KeptCard[];
}

const CARDS = 'home.cards';
const DRAFT = 'home.draft';
const DECLINED = 'home.keepNothing';
/** A registration that nobody went on with for so long is forgotten. */
const DRAFT_MS = 7 * 24 * 3600 * 1000;

function read<T>(name: string): T | undefined {
  try {
    return JSON.parse(recall(name) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

// Nobody may log in here again, and a registration that is too old goes all the same.
if (Date.now() - (read<{ at: number }>(DRAFT)?.at ?? 0) >= DRAFT_MS) forget(DRAFT);

/** The cards that are kept, with whose they are and how old. */
export const keptCards = (): Wallet | undefined => read<Wallet>(CARDS);

/** Keeps these cards and no others, unless the citizen wants none kept. Returns whether they are kept. */
export function keepCards(wallet: Wallet): boolean {
  return !keepsNothing() && keep(CARDS, JSON.stringify(wallet));
}

/** Whether the citizen wants no card kept here. */
export const keepsNothing = (): boolean => recall(DECLINED) !== undefined;

/** Forgets the cards, and keeps none from now on; or keeps them again. */
export function keepNothing(nothing: boolean): void {
  if (!nothing) return forget(DECLINED);
  forget(CARDS);
  keep(DECLINED, 'yes');
}

/** The registration that was begun by this account. */
export function keptDraft<T>(owner: string): T | undefined {
  const kept = read<{ owner: string; at: number; draft: T }>(DRAFT);
  return kept?.owner === owner && Date.now() - kept.at < DRAFT_MS ? kept.draft : undefined;
}

/** Keeps a registration until it is sent. */
export function keepDraft(owner: string, draft: unknown): void {
  keep(DRAFT, JSON.stringify({ owner, at: Date.now(), draft }));
}

/** It was sent, or is not wanted. */
export const forgetDraft = (): void => forget(DRAFT);

/** Forgets what another account left here, and a registration that is too old. */
export function forgetOthers(owner: string): void {
  if (keptDraft(owner) === undefined) forgetDraft();
  if ((keptCards()?.owner ?? owner) !== owner) forget(CARDS);
}

/** Calls `tell` when another tab forgets the cards. */
export function onForgotten(tell: () => void): void {
  addEventListener('storage', ({ key, newValue }) => key === `thexanh.${CARDS}` && newValue === null && tell());
}

/** Forgets everything of everybody. */
export function forgetAll(): void {
  [CARDS, DRAFT, DECLINED].forEach(forget);
}
