// The overview of a province and of the country: who sees what, that its figures are the service's, and that everybody can use it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { bundled } from './bundled.mjs';
import { DESK, PHONE, browser, packages, until, visit } from './harness.mjs';
import { serious } from './pages.test.mjs';
import { asked, enter, register, vaccinate } from './staff.mjs';

/** Somebody of `role` at the overview. */
async function at(role, { path = '/board', viewport = DESK, ...options } = {}) {
  const visitor = await visit(await browser(), path, { viewport, ...options });
  await enter(visitor.page, role);
  await visitor.page.locator('[data-number="registered"]').waitFor();
  return visitor;
}

const shown = (page, name) => page.locator(`[data-number="${name}"] [data-value]`).getAttribute('data-value').then(Number);

/** The text of the file that pressing `button` hands out, and its name. */
async function downloaded(page, button) {
  const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
}

test('a province sees its districts and communes, and nobody else’s', async () => {
  const { page, context, errors } = await at('province', { path: '/board#01' });
  assert.equal(await page.locator('h1').textContent(), 'Thành phố Hồ Chí Minh');
  assert.equal(await page.locator('nav.map').count(), 0, 'there is no map of others');
  const districts = await asked('province', '/v1/stats/places?level=district&within=79');
  const codes = await page.locator('tbody tr[data-code]').evaluateAll((rows) => rows.map((row) => row.dataset.code));
  const sites = await page.locator('#facilities tr[data-code]').evaluateAll((rows) => rows.map((row) => row.dataset.code));
  assert.deepEqual(codes.filter((code) => code.length === 3).toSorted(), districts.places.map(({ code }) => code).filter(Boolean).toSorted());
  assert.deepEqual(sites.filter((code) => !code.startsWith('79')), [], 'sites of others');
  const status = await page.evaluate(() => fetch('/v1/stats/places?level=district&within=01', { headers: { 'X-Thexanh-Session': 'staff' } }).then(({ status }) => status));
  assert.equal(status, 403);
  await page.locator('tr[data-code="760"] a').click();
  await page.locator('tr[data-code="26734"]').waitFor();
  assert.match(await page.locator('h1').textContent(), /^Quận 1$/);
  assert.deepEqual(errors.filter((error) => !error.includes('403')), []);
  await context.close();
});

test('others are told for whom the page is', async () => {
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
  await enter(page, 'facility');
  await page.goto('/board');
  await page.locator('main section.login').waitFor();
  assert.equal(await page.locator('[data-number]').count(), 0);
  await context.close();
});

test('the ministry goes from the map into a province, a district, and back', async () => {
  const { page, context, errors } = await at('ministry', { viewport: PHONE });
  const tiles = page.locator('nav.map a[data-code]');
  assert.equal(await tiles.count(), 63);
  for (const tile of await tiles.all()) assert.match(await tile.locator('strong').textContent(), /\d|–/, 'a tile says its number');
  for (const measure of ['waiting', 'lag', 'coverage']) {
    await page.locator(`input[value="${measure}"]`).check({ force: true });
    await page.locator(`nav.map.${measure}`).waitFor();
  }
  const box = await tiles.first().boundingBox();
  assert.ok(box.width >= 44 && box.height >= 44, `a thumb hits it: ${box.width} x ${box.height}`);
  await page.locator('nav.map a[data-code="79"]').click();
  await page.locator('tr[data-code="760"] a').click();
  await page.locator('tr[data-code="26734"]').waitFor();
  await page.locator('a.skip').focus();
  await page.keyboard.press('Enter');
  await page.locator('main:focus').waitFor();
  assert.equal(await page.locator('tr[data-code="26734"]').count(), 1, 'who skips to the content stays in the place');
  await page.goBack();
  await page.goBack();
  await page.locator('tr[data-code="760"]').waitFor();
  await page.goBack();
  await tiles.first().waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('the numbers are the service’s, also after a dose is recorded', async () => {
  const { page, context } = await at('ministry', { path: '/board#79' });
  const [today, registered] = [await shown(page, 'today'), await shown(page, 'registered')];
  await vaccinate(2, { daysAgo: 0 });
  await vaccinate(1, { daysAgo: 9 });
  await register(2, ['26734']);
  const fresh = async () => {
    await page.locator('.when button').click();
    await page.locator('.when button[aria-disabled="false"]').waitFor();
    return (await shown(page, 'today')) === today + 2 && (await shown(page, 'registered')) === registered + 2;
  };
  await until(fresh, 'the doses to be counted', 90_000);
  const { places } = await asked('ministry', '/v1/stats/places?level=province');
  const counted = places.find(({ code }) => code === '79');
  for (const [name, value] of Object.entries({ registered: counted.registered, first: counted.first, full: counted.full, late: counted.late_doses })) {
    assert.equal(await shown(page, name), value, name);
  }
  const sites = await asked('ministry', '/v1/stats/facilities?within=79');
  const site = sites.facilities.find(({ code }) => code === '79001');
  const week = page.locator('#facilities tr[data-code="79001"] td').nth(2);
  assert.equal((await week.textContent()).replaceAll('.', ''), String(site.doses_7d));
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Ho_Chi_Minh' }).format(new Date());
  const { days } = await asked('ministry', `/v1/stats/days?within=79&from=${day}&to=${day}`);
  assert.equal(days.find((one) => one.day === day).given, await shown(page, 'today'));
  await context.close();
});

test('what is shown can be had as a file', async () => {
  const { page, context } = await at('province');
  const places = await downloaded(page, page.locator('.places .head button').last());
  assert.match(places.name, /^thexanh-districts-79-\d{4}-\d\d-\d\d\.csv$/);
  assert.ok(places.text.startsWith('\ufeff'), 'spreadsheets know that it is UTF-8');
  const lines = places.text.slice(1).trim().split('\r\n');
  const names = await page.locator('.places tbody th').allTextContents();
  assert.deepEqual(lines.slice(1).map((line) => line.split(',')[1]), names.map((name) => name.trim()), 'the rows and their order');
  const days = await downloaded(page, page.locator('section[aria-labelledby="trend-title"] .head button'));
  assert.equal(days.text.trim().split('\r\n').length, 61, 'sixty days and the head');
  const sites = await downloaded(page, page.locator('#facilities .head button'));
  const rows = await page.locator('#facilities tbody tr').count();
  assert.equal(sites.text.trim().split('\r\n').length, 1 + rows);
  await context.close();
});

test('a file runs nothing in a spreadsheet, and holds what it was given', async () => {
  const { page, context } = await visit(await browser(), '/');
  await page.evaluate(await bundled('shared/csv.ts'));
  const text = await page.evaluate(() => {
    const rows = [['=cmd|\' /C calc\'!A0', '+1', '-1', '@x', '\tx'], ['a,b', 'say "so"', 'two\nlines', -1, null]];
    return globalThis.verifier.csv(['h', '=h', 'i', 'j', 'k'], rows).arrayBuffer().then((bytes) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  });
  assert.equal(text, '\ufeffh,\'=h,i,j,k\r\n\'=cmd|\' /C calc\'!A0,\'+1,\'-1,\'@x,\'\tx\r\n"a,b","say ""so""","two\nlines",-1,\r\n');
  await context.close();
});

test('the chart is drawn when it is come to, and says its figures in words', async () => {
  const { page, context } = await at('province', { viewport: PHONE });
  const drawing = page.locator('.drawing');
  await drawing.scrollIntoViewIfNeeded();
  await drawing.locator('canvas').waitFor();
  assert.match(await drawing.getAttribute('aria-label'), /\d+ mũi đã tiêm/);
  await page.locator('summary').click();
  await until(async () => (await page.locator('details tbody tr').count()) === 60, 'sixty days');
  await page.locator('select').first().selectOption('30');
  await until(async () => (await page.locator('details tbody tr').count()) === 30, 'thirty days');
  await context.close();
});

test('the map is walked with the keyboard alone', async () => {
  const { page, context } = await at('ministry', { locale: 'en-GB' });
  const code = () => page.evaluate(() => document.activeElement?.getAttribute('data-code'));
  await until(async () => {
    await page.keyboard.press('Tab');
    return code();
  }, 'the Tab key to come to the map');
  assert.equal(await code(), '01', 'the map is one stop');
  const walked = [];
  for (const key of ['ArrowUp', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowLeft']) {
    await page.keyboard.press(key);
    walked.push(await code());
  }
  assert.deepEqual(walked, ['26', '01', '35', '33', '35']);
  const reached = new Set([await code()]);
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press('ArrowDown');
    reached.add(await code());
  }
  assert.ok(reached.size >= 12, `the arrow keys lead south: ${[...reached]}`);
  const last = await code();
  await page.keyboard.press('Enter');
  await page.locator('tr[data-code]').first().waitFor();
  assert.equal(new URL(page.url()).hash, `#${last}`);
  await context.close();
});

test('everybody can use the overview, in both languages, by day and by night', async () => {
  const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
  for (const [role, viewport, locale, colorScheme] of [
    ['ministry', DESK, 'vi-VN', 'light'],
    ['ministry', PHONE, 'en-GB', 'dark'],
    ['province', PHONE, 'vi-VN', 'light'],
    ['province', DESK, 'en-GB', 'dark'],
  ]) {
    const { page, context } = await at(role, { viewport, locale, colorScheme });
    for (const measure of ['coverage', 'waiting', 'lag']) {
      await page.locator(`input[value="${measure}"]`).check({ force: true });
      assert.deepEqual(await serious(page, axe), [], `${role}, ${measure}, ${colorScheme}`);
      const over = await page.locator('html, .scroll').evaluateAll((all) => all.map((one) => one.scrollWidth - one.clientWidth));
      assert.deepEqual(over.filter((pixels) => pixels > 0), [], `${role}, ${measure}: nothing sticks out at the side`);
    }
    const [before] = await page.locator('h2').allTextContents();
    await page.locator('button.language').click();
    const [after] = await page.locator('h2').allTextContents();
    assert.deepEqual(new Set([before, after]), new Set(['Cần làm ngay', 'To be done now']));
    await context.close();
  }
});
