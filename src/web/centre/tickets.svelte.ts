// The response centre's cases, as the service has them.
import { type Schemas, apiAs } from '../api/client';
import { plain } from '../shared/plain';

/** What was done with a case. */
export interface Step {
  /** In seconds since 1970. */
  at: number;
  by: string;
  what: 'assigned' | 'answered' | 'closed';
  note: string;
  to?: string;
}
export type Ticket = Omit<Schemas['TicketDocument'], 'steps' | 'status' | 'kind'> & {
  steps: Step[];
  status: 'open' | 'assigned' | 'closed';
  kind: 'overdue_correction' | 'severe_reaction' | 'call';
};
export const STATES = ['todo', 'open', 'mine', 'assigned', 'closed'] as const;
export type State = (typeof STATES)[number];

/** How many cases are asked for at once, and at most. */
const PAGE = 500;
const MOST = 2_000;

const api = apiAs('staff');

/** The cases of a status, or those that are not closed; and whether there are more. Throws what went wrong. */
async function pages(status?: 'closed'): Promise<{ found: Ticket[]; cut: boolean }> {
  const found: Ticket[] = [];
  let after: string | undefined;
  do {
    const query = { limit: PAGE, ...(status && { status }), ...(after && { after }) };
    const { data, error } = await api.GET('/v1/tickets', { params: { query } });
    if (!data) throw error;
    found.push(...(data.tickets as Ticket[]));
    after = data.next ?? undefined;
  } while (after && found.length < MOST);
  return { found, cut: after !== undefined };
}

export class Cases {
  /** Those that are not closed, whatever is looked at: of them is the alarm. */
  #open = $state.raw<Ticket[]>([]);
  #closed = $state.raw<Ticket[]>([]);
  state = $state<State>('todo');
  /** Those among which the chosen state's are. */
  readonly all = $derived(this.state === 'closed' ? this.#closed : this.#open);
  /** How many severe reactions nobody has taken on. */
  readonly severe = $derived(this.#open.filter(({ kind, status }) => kind === 'severe_reaction' && status === 'open').length);
  /** They came at least once. */
  known = $state(false);
  /** There are more than `MOST`. */
  cut = $state(false);
  /** What went wrong when they were asked for. */
  failed = $state.raw<unknown>();
  readonly #me: string;
  /** Only what was asked for last counts. */
  #asked = 0;

  constructor(me: string) {
    this.#me = me;
  }

  /** Asks for the cases that are not closed, and for the closed ones if they are looked at. */
  async load(): Promise<void> {
    const asked = ++this.#asked;
    const closed = this.state === 'closed';
    try {
      const open = await pages();
      if (asked !== this.#asked) return;
      this.#open = open.found;
      const shown = closed ? await pages('closed') : open;
      if (asked !== this.#asked) return;
      if (closed) this.#closed = shown.found;
      [this.cut, this.known, this.failed] = [shown.cut, true, undefined];
    } catch (error) {
      if (asked === this.#asked) this.failed = error;
    }
  }

  choose(state: State): void {
    const other = (state === 'closed') !== (this.state === 'closed');
    this.state = state;
    if (other) {
      this.known = false;
      void this.load();
    }
  }

  /** Those of the chosen state that hold `text`; severe reactions first, then the oldest; of closed ones the newest first. */
  shown(text: string, provinces: ReadonlyMap<string, string>): Ticket[] {
    const wanted = plain(text);
    const says = ({ ticket, said, province, assigned_to, steps }: Ticket) =>
      plain([ticket, said, provinces.get(province), assigned_to, ...steps.map(({ note }) => note)].join(' ')).includes(wanted);
    const urgency = ({ kind, status }: Ticket) => (kind === 'severe_reaction' && status !== 'closed' ? 0 : 1);
    const order = this.state === 'closed' ? -1 : 1;
    return this.all
      .filter((ticket) => this.#belongs(ticket) && (!wanted || says(ticket)))
      .sort((a, b) => urgency(a) - urgency(b) || order * ((a.closed_at ?? a.made_at) - (b.closed_at ?? b.made_at)));
  }

  #belongs({ status, assigned_to }: Ticket): boolean {
    if (this.state === 'todo') return status !== 'closed';
    if (this.state === 'mine') return status === 'assigned' && assigned_to === this.#me;
    return status === this.state;
  }

  /** Takes a step. Gives what went wrong, if anything did. */
  async step(ticket: Ticket, step: Omit<Schemas['TicketStep'], 'version'>): Promise<unknown> {
    try {
      const params = { path: { ticket: ticket.ticket } };
      const { data, error } = await api.PATCH('/v1/tickets/{ticket}', { params, body: { version: ticket.version, ...step } });
      if (!data) return error;
      const after = data as Ticket;
      const replaced = (one: Ticket) => (one.ticket === after.ticket ? after : one);
      [this.#open, this.#closed] = [this.#open.map(replaced), this.#closed.map(replaced)];
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Raises a case. `key`: the same for one and the same case, however often it is sent. Throws what went wrong. */
  async raise(key: string, body: Schemas['TicketRequest']): Promise<Ticket> {
    const { data, error } = await api.POST('/v1/tickets', { params: { header: { 'Idempotency-Key': key } }, body });
    if (!data) throw error;
    const made = data as Ticket;
    this.#open = [...this.#open.filter(({ ticket }) => ticket !== made.ticket), made];
    return made;
  }
}
