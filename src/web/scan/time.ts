// What time it is, as well as can be known: phones' clocks are wrong by days more often than one would think.

/** The server's time when it was last heard, and this page's monotonic clock then. */
let heard: { server: number; monotonic: number } | undefined;
/** No time before this one can be: the server was heard at it once. */
let notBefore = 0;

/** The device's own clock, in seconds since 1970. */
export const deviceNow = () => Math.floor(Date.now() / 1000);

/** The server said that it is `server` o'clock. */
export function hear(server: number): void {
  heard = { server, monotonic: performance.now() };
  notBefore = Math.max(notBefore, server);
}

/** The server said so on an earlier visit. */
export function remember(server: number): void {
  notBefore = Math.max(notBefore, server);
}

/** Seconds since 1970: the server's clock carried on if it was heard on this visit, else the device's. */
export function now(): number {
  if (heard) return Math.floor(heard.server + (performance.now() - heard.monotonic) / 1000);
  return Math.max(deviceNow(), notBefore);
}
