// The response centre: what is live is live and says when it is not; tickets from the first call to the end.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { cable } from './cable.mjs';
import { DESK, PHONE, browser, packages, until, visit } from './harness.mjs';
import { serious } from './pages.test.mjs';
import { asked, enter, vaccinate } from './staff.mjs';

/** Somebody of `role` at the centre, once live data comes. */
async function at(role, { viewport = DESK, before = async () => undefined, ...options } = {}) {
  const visitor = await visit(await browser(), '/centre', { viewport, ...options });
  await before(visitor.page);
  await enter(visitor.page, role);
  await visitor.page.locator('[data-live="true"]').waitFor();
  return visitor;
}

const total = (page, name) => page.locator(`[data-total="${name}"] dd`).getAttribute('data-value').then(Number);

test('the live numbers move, and nothing but the one stream brings them', async () => {
  const { page, context, errors } = await at('response');
  await page.locator('#tickets [role="status"] .quiet').waitFor();
  const before = await total(page, 'doses');
  const requests = [];
  page.on('request', (request) => requests.push(new URL(request.url()).pathname));
  await vaccinate(3);
  await until(async () => (await total(page, 'doses')) >= before + 3, 'the doses to be counted', 90_000);
  await vaccinate(3);
  const rate = page.locator('[data-rate="doses"] [data-value]');
  await until(async () => Number(await rate.getAttribute('data-value')) > 0, 'the rate to rise');
  await until(async () => /[ML].*L/.test(await page.locator('[data-rate="doses"] path.line').getAttribute('d')), 'a line to be drawn');
  assert.deepEqual(requests, [], 'nothing else was asked for');
  assert.deepEqual(errors, []);
  await page.locator('[data-health="database"] .badge.good').waitFor();
  await page.locator('[data-health="node"] .badge.good').first().waitFor();
  await context.close();
});

test('a stream that stands still or breaks says so with the time, and comes back by itself', async () => {
  const line = await cable();
  const { page, context } = await at('response', { baseURL: line.url });
  const badge = page.locator('.connection .badge.bad');
  line.freeze();
  await badge.waitFor({ timeout: 15_000 });
  const [, since] = /^\s*Không có dữ liệu trực tiếp từ (\d\d:\d\d:\d\d)\s*$/.exec(await badge.textContent());
  const tries = [];
  page.on('request', (request) => request.url().endsWith('/stream') && tries.push(Date.now()));
  line.cut();
  await until(() => tries.length >= 3, 'three tries', 30_000);
  const [first, second, third] = tries;
  assert.ok(third - second > second - first, `each wait is longer: ${second - first} ms, ${third - second} ms`);
  assert.ok((await badge.textContent()).includes(since), 'the time is that of the last data');
  line.mend();
  await page.locator('[data-live="true"]').waitFor({ timeout: 20_000 });
  await context.close();
  line.close();
});

test('a ticket is raised, taken on, answered and closed with the keyboard alone', async () => {
  const { page, context, errors } = await at('response', { locale: 'en-GB' });
  const { press, type } = page.keyboard;
  const [key, text] = [press.bind(page.keyboard), type.bind(page.keyboard)];
  await page.locator('#tickets').focus();
  await key('n');
  await page.locator('dialog').waitFor();
  await text('Thành phố Hà Nội');
  await key('Tab');
  const said = `A caller has no card, ${Date.now()}`;
  await text(said);
  await key('Tab');
  await key('Enter');
  const item = page.locator('button.item', { hasText: said });
  await item.waitFor();
  assert.equal(await item.evaluate((element) => element === document.activeElement), true, 'the focus is on the new ticket');
  await key('a');
  await page.locator('article .badge', { hasText: 'Assigned' }).waitFor();
  await page.locator('article', { hasText: 'took it on' }).waitFor();
  await key('r');
  await text('She was told to come by.');
  await key('Control+Enter');
  await page.locator('article', { hasText: 'She was told to come by.' }).waitFor();
  await key('Escape');
  assert.equal(await item.evaluate((element) => element === document.activeElement), true, 'Esc leads back to the list');
  await key('r');
  await text('She has it now.');
  await key('Tab');
  await key('Tab');
  await key('Enter');
  await page.locator('article .badge', { hasText: 'Closed' }).waitFor();
  await item.waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.querySelector('#tickets').contains(document.activeElement)), true, 'the focus stays');
  const { tickets } = await asked('response', '/v1/tickets?status=closed&limit=500');
  const ticket = tickets.find((one) => one.said === said);
  assert.deepEqual([ticket.province, ticket.kind, ticket.steps.map(({ what, note }) => [what, note])], [
    '01', 'call', [['assigned', ''], ['answered', 'She was told to come by.'], ['closed', 'She has it now.']],
  ]);
  await page.locator('#tickets select').selectOption('closed');
  await item.waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('tickets are found, and stand under their state; what another did is seen', async () => {
  const { page, context } = await at('ministry', { viewport: PHONE });
  const words = [`Mất thẻ xanh ${Date.now()}`, `Sai ngày sinh ${Date.now()}`];
  for (const said of words) {
    await page.locator('#tickets button.new').click();
    await page.locator('dialog select').selectOption('79');
    await page.locator('dialog textarea').fill(said);
    await page.locator('dialog button[type="submit"]').click();
    await page.locator('article .said', { hasText: said }).waitFor();
    await page.locator('article button.back').click();
  }
  const item = (said) => page.locator('button.item', { hasText: said });
  await page.locator('#tickets input[type="search"]').fill('sai ngay sinh');
  await item(words[1]).waitFor();
  assert.equal(await item(words[0]).count(), 0);
  await page.locator('#tickets input[type="search"]').fill('');
  await item(words[0]).click();
  await page.locator('article button', { hasText: 'Gửi trả lời' }).click();
  await page.locator('article [role="alert"]', { hasText: 'Hãy ghi nội dung' }).waitFor();
  await page.locator('article button', { hasText: 'Tôi nhận' }).click();
  await page.locator('#tickets [role="status"]', { hasText: 'Đã nhận phiếu' }).waitFor();
  await page.locator('article button.back').click();
  await page.locator('#tickets select').selectOption('mine');
  await item(words[0]).waitFor();
  assert.equal(await item(words[1]).count(), 0);
  await page.locator('#tickets select').selectOption('open');
  await item(words[1]).waitFor();
  assert.equal(await item(words[0]).count(), 0);

  const other = await at('response');
  await other.page.locator('button.item', { hasText: words[1] }).click();
  await other.page.locator('article button', { hasText: 'Tôi nhận' }).click();
  await other.page.locator('article .badge', { hasText: 'Đang xử lý' }).waitFor();
  // The stream says that fewer are unassigned.
  await item(words[1]).waitFor({ state: 'detached', timeout: 90_000 });
  await other.context.close();
  await context.close();
});

test('what needs attention stands at the top in words', async () => {
  const { page, context } = await at('response');
  await page.locator('#tickets button.new').click();
  await page.locator('dialog select').selectOption('79');
  await page.locator('dialog textarea').fill('Gọi lại giúp tôi');
  await page.locator('dialog button[type="submit"]').click();
  const point = page.locator('section[aria-labelledby="attention-title"] li', { hasText: 'phiếu chưa có người nhận' });
  await point.waitFor({ timeout: 90_000 });
  await point.locator('button').click();
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'tickets');
  await context.close();
});

test('others are told for whom the page is', async () => {
  const { page, context } = await visit(await browser(), '/board', { viewport: DESK });
  await enter(page, 'province');
  await page.goto('/centre');
  await page.locator('main section.login').waitFor();
  assert.equal(await page.locator('#tickets').count(), 0);
  await context.close();
});

test('everybody can use the centre, in both languages, by day and by night', async () => {
  const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
  for (const [viewport, locale, colorScheme] of [
    [DESK, 'vi-VN', 'dark'],
    [PHONE, 'en-GB', 'light'],
    [PHONE, 'vi-VN', 'dark'],
    [DESK, 'en-GB', 'light'],
  ]) {
    const { page, context } = await at('response', { viewport, locale, colorScheme });
    await page.locator('button.item').first().click();
    await page.locator('article').waitFor();
    assert.deepEqual(await serious(page, axe), [], `${locale}, ${colorScheme}`);
    await page.locator('#tickets button.new').click();
    assert.deepEqual(await serious(page, axe), [], `the form, ${locale}, ${colorScheme}`);
    await page.keyboard.press('Escape');
    const before = await page.locator('#tickets h2').textContent();
    await page.locator('button.language').click();
    const after = await page.locator('#tickets h2').textContent();
    assert.deepEqual(new Set([before, after]), new Set(['Phiếu hỗ trợ', 'Tickets']));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0, 'nothing sticks out at the side');
    await context.close();
  }
});
