// The desk through a lost connection: doses wait on the device, go up in order and once, and what is refused stays until it is mended.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { THU_DUC, logIn, recorded, shownCode, typeDose } from './desk.mjs';
import { DESK, browser, root, service, startProfile, startService, until, visit } from './harness.mjs';

test('doses outlive a lost connection, a reload and a restart of the browser, and go up in order and once when it is back', async () => {
  const own = await startService();
  const profile = mkdtempSync(join(root, 'target/web-tests/profile-'));
  const open = async () => {
    const context = await startProfile(profile, { baseURL: own.url, locale: 'vi-VN', viewport: DESK });
    const page = await context.newPage();
    await page.goto('/desk');
    return { context, page };
  };
  let { context, page } = await open();
  await logIn(page);
  await page.locator('.strip', { hasText: 'Mọi mũi tiêm đã gửi' }).waitFor();
  await until(() => page.evaluate(() => caches.match('/desk').then((found) => found !== undefined)), 'the page to be kept');
  await own.pause();

  await typeDose(page, { name: 'Phan Thị Mất Mạng', birth: '1/2/1980', phone: '0955000001' });
  await page.locator('.slip').waitFor({ timeout: 20_000 });
  const first = await page.locator('.slip .number').innerText();
  assert.match(first, /^D\d{6}-[A-Z]{4}-001$/);
  await page.keyboard.press('Enter');
  await typeDose(page, { name: 'Phan Văn Mất Mạng', birth: '1981', phone: '0955000002' }, false);
  await page.locator('.slip .number', { hasText: '-002' }).waitFor({ timeout: 20_000 });
  await page.locator('.strip[data-waiting="2"]').waitFor();

  // Nothing on the device says who they are.
  const kept = await page.evaluate(keptTexts);
  assert.ok(kept.includes(first) && !/Mất Mạng|0955000|1980/.test(kept), 'sealed');
  assert.equal(await page.evaluate(keyOf), 'AES-GCM false', 'under a key that cannot leave the browser');

  await page.reload();
  await page.locator('.strip[data-waiting="2"]').waitFor({ timeout: 20_000 });
  await context.close();
  ({ context, page } = await open());
  await page.locator('.strip[data-waiting="2"]').waitFor({ timeout: 20_000 });
  await page.getByRole('button', { name: 'Xem' }).first().click();
  await page.locator('.strip li', { hasText: 'Phan Thị Mất Mạng' }).waitFor();

  await own.resume();
  await page.locator('.strip[data-waiting="0"]').waitFor({ timeout: 60_000 });
  const doses = await until(async () => {
    const found = await recorded(own, first.slice(0, -3));
    return found.length === 2 && found;
  }, 'both doses');
  assert.deepEqual(doses.map(({ name }) => name).reverse(), ['Phan Thị Mất Mạng', 'Phan Văn Mất Mạng']);
  assert.ok(doses[1].recorded_at <= doses[0].recorded_at, 'in order');
  assert.equal(JSON.parse(await page.evaluate(keptTexts)).doses, 0, 'nothing of them stays');
  await page.locator('aside', { hasText: 'Phan Văn Mất Mạng' }).waitFor();
  await context.close();
  await own.stop();
  rmSync(profile, { recursive: true, force: true });
});

test('a dose whose answer is lost is sent again and recorded once; the slip turns into the card', async () => {
  const own = await service();
  // A page that a worker serves asks through it, where nothing can be lost on purpose.
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK, serviceWorkers: 'block' });
  await logIn(page);
  let lost = 0;
  await page.route(/\/v1\/doses\?facility=/, async (route) => {
    await route.fetch();
    lost += 1;
    await (lost < 3 ? route.abort() : route.continue());
  });
  await typeDose(page, { name: 'Kim Thị Mất Trả Lời', birth: '1962', phone: '0955000011' });
  await page.locator('.slip').waitFor();
  const record_no = await page.locator('.slip .number').innerText();
  const { verdict } = await shownCode(page, own.url);
  assert.equal(verdict.certificate.name, 'Kim Thị Mất Trả Lời');
  assert.equal(lost, 3);
  assert.equal((await recorded(own, record_no)).length, 1);
  await context.close();
});

/** In the page: how many doses are kept, and all texts and bytes of theirs. */
async function keptTexts() {
  const open = indexedDB.open('thexanh.desk');
  await new Promise((resolve) => (open.onsuccess = resolve));
  const all = open.result.transaction('doses').objectStore('doses').getAll();
  await new Promise((resolve) => (all.onsuccess = resolve));
  open.result.close();
  const texts = all.result.map(({ sealed, ...plain }) => [plain, new TextDecoder().decode(sealed.bytes)]);
  return JSON.stringify({ doses: all.result.length, texts });
}

/** In the page: the key's algorithm, and whether it can be exported. */
async function keyOf() {
  const open = indexedDB.open('thexanh.desk');
  await new Promise((resolve) => (open.onsuccess = resolve));
  const key = open.result.transaction('keys').objectStore('keys').get('key');
  await new Promise((resolve) => (key.onsuccess = resolve));
  open.result.close();
  return `${key.result.algorithm.name} ${key.result.extractable}`;
}

test('a dose that the service refuses stays with its reason until it is mended, and one for another site waits for it', async () => {
  const own = await service();
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
  await logIn(page);
  await context.setOffline(true);
  await typeDose(page, { name: 'Mai Văn Trùng Số', birth: '1975', phone: '0955000009' });
  await page.locator('.slip').waitFor({ timeout: 20_000 });
  const record_no = await page.locator('.slip .number').innerText();
  // The number is used meanwhile, for somebody else.
  const headers = { Authorization: `Bearer ${own.tokens.facility}`, 'Content-Type': 'application/json' };
  const other = { record_no, person: { name: 'Mai Thị Khác', birth: '1976' }, product: 'EU/1/20/1528', lot: 'X', given_at: '2021-07-01T02:00:00Z', number: 1 };
  assert.ok((await fetch(`${own.url}/v1/doses`, { method: 'POST', headers, body: JSON.stringify(other) })).ok);
  await page.keyboard.press('Enter');
  await context.setOffline(false);
  await page.locator('.strip[data-refused="1"]').waitFor({ timeout: 30_000 });

  // Another site that logs in here sees that something waits, and nothing of it.
  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await page.getByText('1 mũi tiêm còn lưu trên máy này').waitFor();
  await logIn(page, THU_DUC);
  await page.locator('.strip', { hasText: 'Máy này còn 1 mũi tiêm của cơ sở khác' }).waitFor();
  assert.doesNotMatch(await page.locator('main').innerText(), /Mai Văn|Vũ Thị Bàn Phím/);
  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await logIn(page);

  await page.locator('.strip').getByRole('button', { name: 'Xem' }).click();
  await page.locator('.strip li', { hasText: 'số này đã dùng cho một mũi tiêm khác' }).waitFor();
  await page.getByRole('button', { name: 'Sửa rồi gửi lại' }).click();
  await page.locator('[data-field=record_no]').fill(`${record_no}-B`);
  await page.locator('button[type=submit]').click();
  const { verdict } = await shownCode(page, own.url);
  assert.equal(verdict.certificate.name, 'Mai Văn Trùng Số');
  await page.locator('.strip[data-refused="0"][data-waiting="0"]').waitFor();
  await context.close();
});
