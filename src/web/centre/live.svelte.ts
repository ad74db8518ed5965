// The service at work, second by second: one stream that is opened again whenever it ends.
import { type Schemas, apiAs } from '../api/client';

/** What comes each second; a number that is not known is null. */
export type Live = Schemas['Live'];
export type Node = Schemas['LiveNode'];

/** A moment of the moving lines. */
export interface Moment {
  /** In milliseconds since 1970, by this device. */
  at: number;
  rates: Live['rates'];
}

/** How long the moving lines are, in seconds. */
export const SPAN_S = 300;
/** Without an event for so long what is shown is not live. */
const SILENT_MS = 5_000;
/** Without a byte for so long the connection is dead: something comes every 15 s. */
const DEAD_MS = 20_000;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
/** No event is longer, in characters. */
const MAX_EVENT = 4 << 20;

export class Feed {
  now = $state.raw<Live>();
  moments = $state.raw<Moment[]>([]);
  /** When the last event came, in milliseconds since 1970, by this device. */
  heardAt = $state<number>();
  /** Nothing has come for too long. */
  silent = $state(false);
  /** When the next try begins, in milliseconds since 1970; nothing while one is under way. */
  nextTry = $state<number>();

  #stopped = false;
  /** Ends the stream that is open. */
  #current: AbortController | undefined;
  #wake: (() => void) | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;

  /** Opens the stream, and again until `stop` is called. */
  start(): void {
    addEventListener('online', this.hurry);
    this.#expect();
    void this.#keepOpen();
  }

  stop(): void {
    this.#stopped = true;
    this.#current?.abort();
    removeEventListener('online', this.hurry);
    clearTimeout(this.#quiet);
    this.#wake?.();
  }

  /** Tries at once instead of when it is time. */
  hurry = (): void => this.#wake?.();

  async #keepOpen(): Promise<void> {
    for (let failures = 0; !this.#stopped; failures += 1) {
      if (await this.#follow()) failures = 0;
      if (this.#stopped) return;
      const wait = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)] ?? 0;
      // Not all pages come back in the same instant.
      await this.#sleep(wait * (0.75 + Math.random() / 2));
    }
  }

  async #sleep(ms: number): Promise<void> {
    this.nextTry = Date.now() + ms;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    [this.#wake, this.nextTry] = [undefined, undefined];
  }

  /** Follows one stream to its end. Gives whether an event came. */
  async #follow(): Promise<boolean> {
    const broken = new AbortController();
    this.#current = broken;
    let watch = setTimeout(() => broken.abort(), DEAD_MS);
    let heard = false;
    try {
      const headers = { Accept: 'text/event-stream' };
      const { data } = await apiAs('staff').GET('/v1/stats/stream', { parseAs: 'stream', signal: broken.signal, headers });
      if (!data) return false;
      const reader = (data as ReadableStream<BufferSource>).pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ''; ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        clearTimeout(watch);
        watch = setTimeout(() => broken.abort(), DEAD_MS);
        const events = (text + value).split(/\r?\n\r?\n/);
        text = events.pop() ?? '';
        if (text.length > MAX_EVENT) break;
        for (const event of events) heard = this.#take(event) || heard;
      }
    } catch {
      // The next try says more.
    } finally {
      clearTimeout(watch);
      broken.abort();
    }
    return heard;
  }

  #take(event: string): boolean {
    const lines = event.split(/\r?\n/);
    const of = (field: string) => lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart());
    if (of('event')[0] !== 'live') return false;
    this.now = JSON.parse(of('data').join('\n')) as Live;
    this.heardAt = Date.now();
    const moment = { at: this.heardAt, rates: this.now.rates };
    this.moments = [...this.moments.filter(({ at }) => at > moment.at - SPAN_S * 1000), moment];
    this.#expect();
    return true;
  }

  /** Says so if nothing comes from now on. */
  #expect(): void {
    this.silent = false;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => (this.silent = true), SILENT_MS);
  }
}
