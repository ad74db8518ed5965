// What the page and its worker say to each other.
import type { Verdict } from '../verify/verify';

/** To the worker. */
export type Ask =
  /** A frame of the camera, which the worker closes. `at`: when it was shown, here and below by the page's `performance.now()`. */
  | { ask: 'frame'; picture: ImageBitmap | ImageData; at: number }
  /** A picture that somebody chose. */
  | { ask: 'picture'; file: Blob; at: number }
  /** A text that a handheld scanner typed, or that was pasted. */
  | { ask: 'text'; text: string; at: number }
  /** Fetch what is new. */
  | { ask: 'sync' }
  /** Drop all that was learnt of the service, whom to believe included, and learn it anew. */
  | { ask: 'relearn' }
  /** Forget which codes were seen: they are to be answered again. */
  | { ask: 'forget' };

/** Who gave a verdict. */
export type Judge = 'device' | 'server';

/** From the worker. */
export type Told =
  /** The last frame is done with. */
  | { told: 'ready' }
  /** A verdict on the code with this number; the server's comes after the device's, and may differ. */
  | { told: 'verdict'; code: number; by: Judge; verdict: Verdict; at: number; product?: string; stale: boolean }
  /** The server was not reached about the code with this number. */
  | { told: 'alone'; code: number }
  /** There is no code in the chosen picture, or it is no picture that can be opened. */
  | { told: 'nothing'; why: 'no_code' | 'no_picture' }
  | { told: 'state'; state: State }
  /** The reader of codes could not be loaded. */
  | { told: 'broken' };

/** How the device's knowledge stands. */
export interface State {
  /** The versions; absent before anything was fetched. */
  as_of?: Verdict['as_of'];
  /** The server's time at which it was fetched or found unchanged, in seconds since 1970. */
  syncedAt?: number;
  /** What time it is, as well as is known, in seconds since 1970. */
  now: number;
  /** By how many seconds the device's clock runs ahead of the server's; negative behind. */
  ahead: number;
  syncing: boolean;
  /** The kid of the key that the trust list is signed by, where it is signed: to be compared with what was published. */
  anchor?: string;
  trouble?: 'unreachable' | 'storage' | 'untrusted' | undefined;
}

/** Past this age the page warns, and past the second it says so with every answer; in seconds. */
export const [WARN_AFTER, DOUBT_AFTER] = [24 * 3600, 7 * 24 * 3600];
