// Who is logged in, as the service says; and as it said last, where it cannot be asked: a page without a network goes on as theirs.
import { type Schemas, type Who, apiAs, onOver } from '../api/client';
import { forget, keep, recall } from './device';

export type Session = Schemas['LoggedIn'];
export type Role = Schemas['Role'];

export class Sessions {
  /** Undefined while it is not known, null while nobody is logged in. */
  now = $state<Session | null | undefined>(undefined);
  /** What went wrong when it was asked for; `worded` words it. */
  failed = $state<unknown>(undefined);
  /** Whether this is what was said last, because the service could not be asked. */
  remembered = $state(false);
  readonly #who: Who;

  constructor(who: Who) {
    this.#who = who;
    onOver(who, () => this.#take(null));
    // Whoever logs in or out in another tab does so in this one.
    addEventListener('storage', (event) => {
      if (event.key === `thexanh.${this.#name}`) void this.load();
    });
  }

  get #name(): string {
    return `session.${this.#who}`;
  }

  /** Asks the service. */
  async load(): Promise<void> {
    this.failed = undefined;
    try {
      const { data, error, response } = await apiAs(this.#who).GET('/v1/session');
      if (data) this.#take(data);
      else if (response.status === 401) this.#take(null);
      // A service in trouble is as one that is away.
      else if (response.status >= 500) this.#away(error);
      else this.#fail(error);
    } catch (error) {
      this.#away(error);
    }
  }

  /** Goes on as what was said last, if that is still true. */
  #away(error: unknown): void {
    const last = this.#last();
    if (last) [this.now, this.remembered] = [last, true];
    else this.#fail(error);
  }

  /** An answer without a body is a failure as well; `worded` has words for it. */
  #fail(error: unknown): void {
    this.failed = error || {};
  }

  /** Logs out. Gives what went wrong, if anything did. */
  async end(): Promise<unknown> {
    try {
      const { error, response } = await apiAs(this.#who).DELETE('/v1/session');
      if (!response.ok && response.status !== 401) return error || {};
      this.#take(null);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #take(session: Session | null): void {
    [this.now, this.remembered, this.failed] = [session, false, undefined];
    if (session) keep(this.#name, JSON.stringify(session));
    else forget(this.#name);
  }

  /** What the service said last, while it is true. */
  #last(): Session | undefined {
    try {
      const session = JSON.parse(recall(this.#name) ?? 'null') as Session | null;
      return session && session.expires_at * 1000 > Date.now() ? session : undefined;
    } catch {
      return undefined;
    }
  }
}

export const staff = new Sessions('staff');
export const citizen = new Sessions('citizen');
