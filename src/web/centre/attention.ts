// What a duty officer should look at now, in words, the worst first.
import { decimal, shortName } from '../shared/figures';
import { number } from '../words/language.svelte';
import type { Live, Node } from './live.svelte';
import { words } from './words';

export interface Point {
  /** What it is of: the same from second to second. */
  key: string;
  level: 'bad' | 'warn';
  text: string;
  /** The same without what changes each second, to be read out once. */
  spoken?: string;
  /** The id of the part of the page that it is about. */
  at?: 'tickets' | 'behind' | 'health';
}

/** A node that was not seen for so long has stopped or cannot reach the database. */
const SILENT_MS = 10_000;
const SLOW_DATABASE_MS = 100;
const SLOW_REPLICA_MS = 5_000;
/** Errors a second that are no longer chance. */
const MANY_ERRORS = 1;
/** What waits to be written is gone within a second or two; more than that does not get through. */
const LONG_QUEUE = 1_000;

/** So many provinces that are behind are named. */
const NAMED = 3;

export const isSilent = (node: Node) => node.seen_ms_ago > SILENT_MS;
export const isBusy = (node: Node) => node.pool_size > 0 && node.pool_in_use >= node.pool_size;
export const isSlowDatabase = ({ latency_ms }: Live['database']) => (latency_ms ?? 0) > SLOW_DATABASE_MS;

/** A queue that grows; nobody's where the service does not say how long it is. */
function longQueue(what: string, count: number | null | undefined, key: string): Point[] {
  if ((count ?? 0) < LONG_QUEUE) return [];
  return [{ key, level: 'bad', text: words().longQueue(what, number(count ?? 0)), spoken: words().queueNow(what) }];
}

/** `severe`: how many severe reactions nobody has taken on. */
export function attention({ database, nodes, rates, queues, behind }: Live, severe: number): Point[] {
  const points: (Point | false)[] = [
    !database.reachable && { key: 'database', level: 'bad', text: words().noDatabase, at: 'health' },
    severe > 0 && { key: 'severe', level: 'bad', text: words().severe(number(severe)), at: 'tickets' },
    ...nodes.filter(isSilent).map(({ id, name, seen_ms_ago }): Point => {
      const text = words().silentNode(name, decimal(seen_ms_ago / 1000, 0));
      return { key: `silent ${id}`, level: 'bad', text, spoken: words().silentNow(name), at: 'health' };
    }),
    rates != null && rates.errors >= MANY_ERRORS && { key: 'errors', level: 'bad', text: words().manyErrors(decimal(rates.errors)), spoken: words().errorsNow },
    ...longQueue(words().queueRegistrations, queues.registrations, 'registrations'),
    ...longQueue(words().queueDoses, queues.doses, 'doses'),
    database.reachable && isSlowDatabase(database) && { key: 'slow', level: 'warn', text: words().slowDatabase(decimal(database.latency_ms, 0)), at: 'health' },
    ...database.replicas
      .filter(({ lag_ms }) => (lag_ms ?? 0) > SLOW_REPLICA_MS)
      .map(({ name, lag_ms }, place): Point => ({ key: `replica ${place}`, level: 'warn', text: words().slowReplica(name, decimal((lag_ms ?? 0) / 1000, 0)), at: 'health' })),
    ...nodes.filter(isBusy).map(({ id, name }): Point => ({ key: `busy ${id}`, level: 'warn', text: words().fullPool(name), at: 'health' })),
    (queues.tickets_unassigned ?? 0) > 0 && { key: 'unassigned', level: 'warn', text: words().unassigned(number(queues.tickets_unassigned ?? 0)), at: 'tickets' },
    (queues.corrections_overdue ?? 0) > 0 && { key: 'overdue', level: 'warn', text: words().overdue(number(queues.corrections_overdue ?? 0)) },
    behind.length > 0 && { key: 'behind', level: 'warn', text: words().behindProvinces(behind.slice(0, NAMED).map(({ name }) => shortName(name)).join(', ')), at: 'behind' },
  ];
  return points.filter((point) => point !== false);
}
