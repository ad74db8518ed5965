// The cable between a browser and the service, to be pulled out: a browser that is told to be off line keeps the streams it has.
import { connect, createServer } from 'node:net';
import { service } from './harness.mjs';

/** A way to the service under a `url` of its own: `freeze` lets nothing more through, `cut` ends and refuses all, `mend` lets all through again. */
export async function cable() {
  const { port, hostname } = new URL((await service()).url);
  const pairs = new Set();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) return near.destroy();
    const pair = [near, connect(port, hostname)];
    const end = () => pair.forEach((socket) => socket.destroy());
    pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed()]) {
      from.pipe(to);
      from.on('error', end).on('close', () => (end(), pairs.delete(pair)));
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const each = (act) => pairs.forEach((pair) => pair.forEach(act));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    freeze: () => each((socket) => socket.unpipe()),
    cut: () => ((whole = false), each((socket) => socket.destroy())),
    mend: () => (whole = true),
    close: () => (each((socket) => socket.destroy()), server.close()),
  };
}
