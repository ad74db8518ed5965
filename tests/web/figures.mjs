// The pages' times and sizes, one line each: figure: <name> <value> <unit>.
import { get } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { film, served } from './codes.mjs';
import { PHONE, browser, browserWithCamera, root, service, until, visit } from './harness.mjs';
import { certificates } from './people.mjs';

const figure = (name, value, unit) => console.log(`figure: ${name} ${value} ${unit}`);

/** The value that so many hundredths of `values` do not exceed. */
const percentile = (values, hundredths) => values.toSorted((a, b) => a - b)[Math.ceil((values.length * hundredths) / 100) - 1];

test('from the frame that shows a code to its verdict on the screen, off line', async () => {
  const ten = await certificates(await service(), 10);
  const scenes = [];
  for (const { uvci } of ten) scenes.push({ picture: await served(await service(), uvci), seconds: 0.7 });
  const camera = await browserWithCamera(await film(await browser(), join(root, 'target/web-tests/figures.y4m'), scenes));
  const { page, context } = await visit(camera, '/scan');
  if ((await page.locator('main').getAttribute('data-phase')) === 'start') await page.locator('button.begin').click();
  await page.locator('[data-server="agrees"]').first().waitFor();
  await context.setOffline(true);
  await page.locator('[data-server="alone"]').first().waitFor();
  await page.evaluate(() => performance.clearMeasures());
  const measured = () => page.evaluate(() => performance.getEntriesByName('verdict').map(({ duration }) => duration));
  const times = await until(async () => ((await measured()).length >= 60 ? measured() : undefined), 'sixty verdicts', 90_000);
  figure('scan/verdict-p50', percentile(times, 50).toFixed(0), 'ms');
  figure('scan/verdict-p95', percentile(times, 95).toFixed(0), 'ms');
  await context.close();
});

test('what a first visit to the scanner loads, gzipped, what the service knows apart', async () => {
  const { page, context } = await visit(await browser(), '/scan');
  await page.evaluate(() => navigator.serviceWorker.ready);
  const kept = () => page.evaluate(() => caches.match('/scan').then((found) => found !== undefined));
  await until(kept, 'the page to be kept');
  // All that was loaded is kept, and the worker that keeps it.
  const urls = await page.evaluate(async () => {
    const requests = await (await caches.open((await caches.keys())[0])).keys();
    return [...requests.map(({ url }) => url), new URL('/sw.js', location.href).href];
  });
  figure('scan/first-visit-kb', ((await transferred(urls)) / 1000).toFixed(0), 'kB');
  await context.close();
});

/** How many bytes these take as they are sent to a browser. */
async function transferred(urls) {
  let bytes = 0;
  for (const url of urls) {
    bytes += await new Promise((resolve) => {
      get(url, { headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
        let length = 0;
        response.on('data', (part) => (length += part.length));
        response.on('end', () => resolve(length));
      });
    });
  }
  return bytes;
}

test('how soon each page can be used, at a quarter of the processor', async () => {
  let slowest = 0;
  for (const path of ['/', '/scan', '/desk', '/board', '/centre']) {
    const times = [];
    for (let visitNumber = 0; visitNumber < 5; visitNumber++) {
      const { page, context } = await visit(await browser(), 'about:blank', { viewport: PHONE });
      const session = await context.newCDPSession(page);
      await session.send('Emulation.setCPUThrottlingRate', { rate: 4 });
      await page.goto(path);
      await page.locator('main').waitFor();
      times.push(await page.evaluate(() => performance.getEntriesByName('interactive')[0].startTime));
      await context.close();
    }
    const time = percentile(times, 50);
    figure(`page${path === '/' ? '/home' : path}-interactive`, time.toFixed(0), 'ms');
    slowest = Math.max(slowest, time);
  }
  figure('page/interactive', slowest.toFixed(0), 'ms');
});
