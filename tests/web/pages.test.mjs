// What holds of every page: its size, its languages, its policy, and that everybody can use it.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { DESK, PHONE, browser, packages, root, until, visit } from './harness.mjs';

export const PAGES = ['/', '/scan', '/desk', '/board', '/centre', '/login'];
const built = join(root, 'target/web');

/** The files of each page, as the service worker knows them. */
function files() {
  const script = readFileSync(join(built, 'sw.js'), 'utf8');
  const [, list] = /JSON\.parse\(("(?:[^"\\]|\\.)*")\)/.exec(script);
  return JSON.parse(JSON.parse(list)).files;
}

function gzipped(file) {
  for (const name of [`${file}.gz`, file]) {
    const found = statSync(join(built, name), { throwIfNoEntry: false });
    if (found) return found.size;
  }
  throw new Error(`${file} is not built`);
}

test('a page is small enough for a slow network, all its files together', () => {
  for (const [page, list] of Object.entries(files())) {
    const html = page === '/' ? 'index.html' : `${page.slice(1)}.html`;
    const total = [html, 'sw.js', ...list.map((file) => file.slice(1))].reduce((sum, file) => sum + gzipped(file), 0);
    const limit = page === '/scan' ? 600_000 : 120_000;
    assert.ok(total < limit, `${page}: ${total} of ${limit} bytes`);
  }
});

test('every page opens in the browser’s language without a complaint and turns into the other', async () => {
  for (const path of PAGES) {
    for (const [locale, language, other] of [['vi-VN', 'vi', 'en'], ['en-GB', 'en', 'vi']]) {
      const { page, context, errors } = await visit(await browser(), path, { locale, viewport: DESK });
      await page.locator('main').waitFor();
      assert.equal(await page.locator('html').getAttribute('lang'), language, path);
      if (path !== '/scan') {
        await page.locator('button.language').click();
        assert.equal(await page.locator('html').getAttribute('lang'), other, path);
        await page.reload();
        await page.locator('main').waitFor();
        assert.equal(await page.locator('html').getAttribute('lang'), other, `${path}: the choice is kept`);
      }
      assert.deepEqual(errors, [], path);
      await context.close();
    }
  }
});

test('the start page leads to every role', async () => {
  const { page, context } = await visit(await browser(), '/');
  for (const path of ['/scan', '/desk', '/board', '/centre', '/docs/']) {
    await page.locator(`a[href="${path}"]`).waitFor();
  }
  await context.close();
});

test('a page asks nobody but the service', async () => {
  for (const path of PAGES) {
    const { page, context } = await visit(await browser(), 'about:blank');
    const asked = new Set();
    context.on('request', (request) => asked.add(new URL(request.url()).origin));
    await page.goto(path);
    await page.locator('main').waitFor();
    await page.waitForLoadState('networkidle');
    assert.deepEqual([...asked].filter((origin) => !['null', new URL(page.url()).origin].includes(origin)), [], path);
    await context.close();
  }
});

test('nobody is shut out of a page by how they see, hear or move', async () => {
  const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
  for (const path of PAGES) {
    for (const colorScheme of ['light', 'dark']) {
      const { page, context } = await visit(await browser(), path, { viewport: PHONE, colorScheme });
      await page.locator('main').waitFor();
      const violations = await serious(page, axe);
      assert.deepEqual(violations, [], `${path}, ${colorScheme}`);
      await context.close();
    }
  }
});

/** What axe-core finds that is serious: `rule: where`. */
export async function serious(page, axe) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return grave.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
}

test('a page that was opened opens again without a network', async () => {
  for (const path of PAGES) {
    const { page, context } = await visit(await browser(), path);
    await page.evaluate(() => navigator.serviceWorker.ready);
    const kept = () => page.evaluate((path) => caches.match(path).then((found) => found !== undefined), path);
    await until(kept, `${path} to be kept`);
    await context.setOffline(true);
    await page.reload();
    await page.locator('main').waitFor();
    await context.close();
  }
});

test('the scanner can be put on the home screen', async () => {
  const { page, context } = await visit(await browser(), '/scan');
  const session = await context.newCDPSession(page);
  const { url, errors, data } = await session.send('Page.getAppManifest');
  assert.deepEqual([new URL(url).pathname, errors], ['/app/scan.webmanifest', []]);
  const { start_url, icons } = JSON.parse(data);
  assert.equal(start_url, '/scan');
  for (const { src, type } of icons) {
    const icon = await context.request.get(src);
    assert.deepEqual([icon.status(), icon.headers()['content-type']], [200, type], src);
  }
  await context.close();
});
