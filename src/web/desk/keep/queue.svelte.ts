// Doses on their way to the service. Each is on the device, sealed, before it is sent, and until it was answered: whatever happens to
// the network, the page or the machine, none is lost, and one that is sent twice is recorded once, for its number is the same.
import { type Schemas, apiAs, worded } from '../../api/client';
import { type KeptDose, type Refusal, doses, dropDose, keepDose } from './database';
import { seal, unseal } from './seal';

export type DoseRecord = Schemas['DoseRecord'];
export type DoseAnswer = Schemas['DoseAnswer'];

/** What came of a dose. */
export type Outcome = { sent: DoseAnswer } | { refused: Refusal };

/** Why nothing goes up at the moment: no network, nobody logged in, the service busy. */
export type Trouble = 'network' | 'session' | 'busy';

/** What is said instead of an outcome; `fault`: the service failed at this very dose. */
type Silence = Trouble | 'fault';

/** What is sealed with a dose is bound to what is not. */
const about = ({ facility, record_no }: { facility: string; record_no: string }) => `${facility} ${record_no}`;

/** No answer takes longer, in milliseconds. */
const PATIENCE_MS = 10_000;
/** How long until the next try, in milliseconds; it doubles to the second. */
const [RETRY_MS, RETRY_MOST_MS] = [2_000, 15_000];
/** A dose at which the service failed so often no longer keeps those behind it waiting. */
const FAULTS = 3;

class Queue {
  /** What is on the device, other facilities' included; none of its people can be seen in it. */
  items = $state.raw<KeptDose[]>([]);
  trouble = $state.raw<Trouble>();
  /** True if the browser keeps nothing: then a dose is sent at once or not at all. */
  homeless = $state.raw(false);

  #facility: string | undefined;
  #waiting = new Map<number, (outcome: Outcome) => void>();
  #told: (() => void) | undefined;
  /** How often the service failed at a dose. */
  #faults = new Map<number, number>();
  /** What is on the device could not be read. */
  #unread = false;
  #sending = false;
  #again = false;
  #pause = RETRY_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Sends what waits of `facility`, now and whenever it can; `told` hears when one was answered. Returns what stops it. */
  start(facility: string, told: () => void): () => void {
    this.#facility = facility;
    this.#told = told;
    const wake = () => void this.send();
    addEventListener('online', wake);
    document.addEventListener('visibilitychange', wake);
    // Other tabs' doses are the same device's.
    const heard = new BroadcastChannel('thexanh.desk');
    heard.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data) this.#answer(data.seq, data.outcome);
      void this.look();
    };
    void this.send();
    return () => {
      removeEventListener('online', wake);
      document.removeEventListener('visibilitychange', wake);
      heard.close();
      clearTimeout(this.#timer);
      this.#facility = undefined;
    };
  }

  /** Keeps a dose of `facility` and sends it; in the place of `seq` if it was refused and is mended. Gives its number. */
  async add(facility: string, record: DoseRecord, seq?: number): Promise<number> {
    const known = this.items.find((item) => item.seq === seq);
    const fresh = { facility, record_no: record.record_no, at: known?.at ?? Math.floor(Date.now() / 1000), state: 'waiting' as const };
    const kept = { ...fresh, sealed: await seal(record, about(fresh)), ...(known && { seq: known.seq }) };
    const number = await keepDose(kept);
    this.homeless = false;
    this.#faults.delete(number);
    await this.look();
    tell();
    void this.send();
    return number;
  }

  /** What comes of a dose, once it is known. */
  outcome(seq: number): Promise<Outcome> {
    return new Promise((resolve) => this.#waiting.set(seq, resolve));
  }

  /** What a dose of the facility that is logged in says. */
  async open(item: KeptDose): Promise<DoseRecord> {
    if (item.facility !== this.#facility) throw new Error('another facility’s');
    return unseal<DoseRecord>(item.sealed, about(item));
  }

  /** Forgets a dose that was refused. */
  async drop(seq: number): Promise<void> {
    await dropDose(seq);
    await this.look();
    tell();
  }

  /** Sends what waits, one after the other, until all is answered or something stands in the way. */
  async send(): Promise<void> {
    if (this.#sending) {
      this.#again = true;
      return;
    }
    this.#sending = true;
    clearTimeout(this.#timer);
    try {
      do {
        this.#again = false;
        // One tab sends at a time, so that the order is kept.
        await navigator.locks.request('thexanh.desk', () => this.#sendAll());
      } while (this.#again);
      if (this.#unread) [this.#unread, this.homeless] = [false, false];
    } catch {
      [this.#unread, this.homeless] = [true, true];
    }
    this.#sending = false;
    if (this.trouble === undefined && !this.#unread) {
      this.#pause = RETRY_MS;
    } else if (this.#unread ? this.#facility !== undefined : this.#next()) {
      this.#timer = setTimeout(() => void this.send(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, RETRY_MOST_MS);
    }
  }

  async #sendAll(): Promise<void> {
    await this.look();
    for (let item = this.#next(); item; item = this.#next()) {
      const record = await this.open(item).catch(() => undefined);
      const outcome = record ? await this.ask(item.facility, record) : { refused: { code: 'unreadable', detail: '' } };
      if (outcome === 'fault') {
        this.trouble = 'busy';
        if (this.#failed(item)) continue;
        return;
      }
      if (typeof outcome === 'string') {
        this.trouble = outcome;
        return;
      }
      this.trouble = undefined;
      if ('sent' in outcome) await dropDose(item.seq);
      else await keepDose({ ...item, state: 'refused', why: outcome.refused });
      await this.look();
      tell({ seq: item.seq, outcome });
      this.#answer(item.seq, outcome);
      this.#told?.();
    }
    this.trouble = undefined;
  }

  /** What the service says of a dose, or why it says nothing. */
  async ask(facility: string, body: DoseRecord): Promise<Outcome | Silence> {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const { data, error, response } = await apiAs('staff').POST('/v1/doses', { params: { query: { facility } }, body, signal });
      if (data) return { sent: data };
      const { status } = response;
      // Whoever is logged in now may not send it, or nobody is: it waits for those who may.
      if (status === 401 || status === 403) return 'session';
      if (status === 500) return 'fault';
      if (status === 408 || status === 429 || status >= 500) return 'busy';
      const { code, field } = error as { code?: string; field?: string };
      return { refused: { code: code ?? '', detail: worded(error), ...(field !== undefined && { field }) } };
    } catch {
      return 'network';
    }
  }

  #next(): KeptDose | undefined {
    const ours = this.items.filter(({ facility, state }) => facility === this.#facility && state === 'waiting');
    const faults = ({ seq }: KeptDose) => this.#faults.get(seq) ?? 0;
    return ours.find((item) => faults(item) < FAULTS) ?? ours.sort((a, b) => faults(a) - faults(b))[0];
  }

  /** The service failed at a dose. Gives whether others are to be sent before it is tried again. */
  #failed({ seq }: KeptDose): boolean {
    const faults = (this.#faults.get(seq) ?? 0) + 1;
    this.#faults.set(seq, faults);
    const next = this.#next();
    return faults >= FAULTS && next !== undefined && (this.#faults.get(next.seq) ?? 0) < FAULTS;
  }

  /** Whether a number is that of another dose of `facility` on the device than `seq`. */
  holds(facility: string, record_no: string, seq?: number): boolean {
    return this.items.some((item) => item.facility === facility && item.record_no === record_no && item.seq !== seq);
  }

  /** What is on the device now. */
  async look(): Promise<void> {
    this.items = await doses();
  }

  #answer(seq: number, outcome: Outcome): void {
    this.#waiting.get(seq)?.(outcome);
    this.#waiting.delete(seq);
  }
}

/** What tabs tell one another: that the device holds something else now, and what came of a dose. */
type Told = { seq: number; outcome: Outcome } | undefined;

function tell(told?: Told): void {
  const channel = new BroadcastChannel('thexanh.desk');
  channel.postMessage(told);
  channel.close();
}

export const queue = new Queue();
