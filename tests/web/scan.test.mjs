// The scanner as an officer uses it: a camera that sees codes, the network gone, codes that are not what they should be.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { HELD, drawn, film, served } from './codes.mjs';
import { browser, browserWithCamera, packages, root, service, startBrowser, startService, until, visit } from './harness.mjs';
import { serious } from './pages.test.mjs';
import { certificates } from './people.mjs';
import { newSigner, signed } from './signed.mjs';

const scratch = (name) => join(root, 'target/web-tests', name);

const card = (page) => page.locator('[data-card]');
const shows = (page, colour) => page.locator(`[data-card="${colour}"]`).waitFor({ timeout: 20_000 });

async function begin(page) {
  // A page that may use the camera already begins by itself.
  if ((await page.locator('main').getAttribute('data-phase')) === 'start') {
    await page.locator('button.begin').click({ timeout: 2_000 }).catch(() => undefined);
  }
  await page.locator('main[data-phase="scanning"]').waitFor();
}

/** Types as a handheld scanner does. */
const scanned = async (page, text) => {
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
};

/** Has the device ask the service for what it verifies by. */
const update = async (page) => {
  await page.getByRole('button', { name: 'Cài đặt' }).click();
  await page.getByRole('button', { name: 'Cập nhật ngay' }).click();
  await page.getByRole('button', { name: 'Cập nhật ngay' }).waitFor();
  await page.getByRole('button', { name: 'Xong' }).click();
};

test('ten codes shown for 0.7 s each get ten verdicts, one after the other', async () => {
  const ten = await certificates(await service(), 10);
  const scenes = [];
  for (const { uvci } of ten) scenes.push({ picture: await served(await service(), uvci), seconds: 0.7 });
  const camera = await browserWithCamera(await film(await browser(), scratch('ten.y4m'), scenes));
  const { page, context, errors } = await visit(camera, '/scan');
  await page.evaluate(() => {
    globalThis.seen = [];
    new MutationObserver(() => {
      const name = document.querySelector('[data-card] .name')?.textContent;
      if (name && name !== globalThis.seen.at(-1)) globalThis.seen.push(name);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await begin(page);
  // Two whole rounds, so that one of them is seen from its beginning whenever the camera was opened.
  const names = await until(() => page.evaluate(() => globalThis.seen.length >= 20 && globalThis.seen), 'twenty verdicts', 40_000);
  assert.deepEqual(new Set(names.slice(5, 15)), new Set(ten.map(({ name }) => name)), 'none is missed');
  assert.deepEqual(errors, []);
  await context.close();
  await camera.close();
});

test('a code is read clean, turned and noisy, blurred, and small', async () => {
  const { url, tokens } = await service();
  const people = await certificates({ url, tokens }, 4, [1, 2]);
  const scenes = [];
  for (const [at, held] of Object.values(HELD).entries()) {
    scenes.push({ picture: await served({ url, tokens }, people[at].uvci), held, seconds: 1.5 });
  }
  const camera = await browserWithCamera(await film(await browser(), scratch('held.y4m'), scenes));
  const { page, context } = await visit(camera, '/scan');
  await begin(page);
  for (const { name } of people) {
    await page.locator('[data-card="green"] .name', { hasText: name }).waitFor({ timeout: 20_000 });
  }
  await context.close();
  await camera.close();
});

test('what is no good is red, with a sentence and without a word of the holder', async () => {
  const [{ text, name }] = await certificates(await service(), 1);
  const forged = text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');
  const scenes = [
    { picture: await drawn(forged), seconds: 1.2 },
    { picture: await drawn('https://example.org/menu'), seconds: 1.2 },
  ];
  const camera = await browserWithCamera(await film(await browser(), scratch('bad.y4m'), scenes));
  const { page, context } = await visit(camera, '/scan', { locale: 'en-GB' });
  await begin(page);
  for (const sentence of ['the card was changed or forged', 'some other QR code']) {
    await page.locator('[data-card="red"] .advice', { hasText: sentence }).waitFor({ timeout: 20_000 });
    const shown = await card(page).innerText();
    assert.ok(shown.includes('NOT VALID') && !shown.includes(name), shown);
  }
  await context.close();
  await camera.close();
});

test('with the service gone and the page loaded again there are still verdicts, and old knowledge says that it is old', async () => {
  const own = await startService();
  const [{ uvci }] = await certificates(own, 1);
  const scenes = [{ picture: await served(own, uvci), seconds: 1 }, { seconds: 3 }];
  const camera = await browserWithCamera(await film(await browser(), scratch('alone.y4m'), scenes));
  const context = await camera.newContext({ baseURL: own.url, locale: 'vi-VN' });
  const page = await context.newPage();
  await page.goto('/scan');
  await begin(page);
  await page.locator('[data-card="yellow"] [data-server="agrees"]').waitFor({ timeout: 20_000 });
  await until(() => page.evaluate(() => caches.match('/scan').then((found) => found !== undefined)), 'the page to be kept');
  await own.stop();

  await page.reload();
  await begin(page);
  await page.locator('[data-card="yellow"] [data-server="alone"]').waitFor({ timeout: 20_000 });
  assert.match(await card(page).innerText(), /1\/2 MŨI[^]*Trần Thị Một[^]*10\/05\/1980[^]*Pfizer[^]*01\/07\/2021/);

  for (const [days, warning, colour, word] of [[2, '48 giờ', 'yellow', '1/2 MŨI'], [8, '8 ngày', 'amber', 'CẦN KIỂM TRA']]) {
    await page.evaluate(age, days * 86_400 + 60);
    await page.reload();
    // An answer, once there is one, has the whole screen.
    await page.locator('.notice', { hasText: warning }).waitFor({ timeout: 20_000 });
    await begin(page);
    await page.locator(`[data-card="${colour}"]`, { hasText: word }).waitFor({ timeout: 20_000 });
  }
  await context.close();
  await camera.close();
});

/** In the page: makes what is kept `seconds` older. */
async function age(seconds) {
  const open = indexedDB.open('thexanh.scan');
  await new Promise((resolve) => (open.onsuccess = resolve));
  const transaction = open.result.transaction('synced', 'readwrite');
  const store = transaction.objectStore('synced');
  const at = Math.floor(Date.now() / 1000) - seconds;
  store.get('last').onsuccess = ({ target: { result } }) => store.put({ ...result, at }, 'last');
  await new Promise((resolve) => (transaction.oncomplete = resolve));
  open.result.close();
}

test('a certificate that was revoked is red off line once the device has heard of it', async () => {
  const { url, tokens } = await service();
  const [{ text, uvci, name }] = await certificates({ url, tokens }, 1, [1], 'Lê');
  const { page, context } = await visit(await browser(), '/scan');
  await scanned(page, text);
  await shows(page, 'yellow');
  await page.locator('button.done').click();
  const headers = { Authorization: `Bearer ${tokens.ministry}`, 'Content-Type': 'application/json' };
  const revoked = await fetch(`${url}/v1/revocations`, { method: 'POST', headers, body: JSON.stringify({ uvci, why: 'a test' }) });
  assert.ok(revoked.ok, await revoked.text());
  await page.getByRole('button', { name: 'Cài đặt' }).click();
  const heard = async () => {
    await page.getByRole('button', { name: 'Cập nhật ngay' }).click();
    return !(await page.locator('dialog').innerText()).includes('Thu hồi 0 ');
  };
  await until(heard, 'the device to hear of it');
  await page.getByRole('button', { name: 'Xong' }).click();
  await context.setOffline(true);
  await scanned(page, text);
  await page.locator('[data-card="red"] [data-server="alone"]').waitFor();
  const shown = await card(page).innerText();
  assert.ok(shown.includes('đã bị thu hồi') && !shown.includes(name), shown);
  await context.close();
});

test('what is signed is proved, and nothing else is taken once the service signs', async () => {
  const { url, tokens } = await service();
  const [{ text }] = await certificates({ url, tokens }, 1);
  const [anchor, publisher, stranger] = [newSigner(), newSigner(), newSigner()];
  const json = async (name) => (await fetch(`${url}/v1/${name}`)).json();
  const list = { ...(await json('trust-list')), anchor: { public_key: anchor.spki }, publishers: [{ public_key: publisher.spki }] };
  const [rules, index] = [await json('rules'), await json('revocations')];
  const good = {
    'trust-list': signed('trust-list', list, anchor),
    rules: signed('rules', rules, publisher),
    revocations: signed('revocations', index, publisher),
  };
  const flipped = Buffer.from(good.rules);
  flipped[flipped.length - 74] ^= 1; // the last byte of the payload, before a head of 9 bytes and the signature
  const bad = {
    'of another signer': { rules: signed('rules', rules, stranger) },
    'changed on the way': { rules: flipped },
    'of another kind': { rules: signed('revocations', rules, publisher) },
    'under another anchor': { 'trust-list': signed('trust-list', list, stranger) },
    'not signed': { revocations: Buffer.from(JSON.stringify(index)) },
    'from the future': { rules: signed('rules', rules, publisher, { issued_at: Math.floor(Date.now() / 1000) + 300 }) },
    older: { 'trust-list': signed('trust-list', { ...list, version: list.version - 1 }, anchor) },
  };
  const { page, context } = await visit(await browser(), 'about:blank', { serviceWorkers: 'block' });
  let served = good;
  const date = () => new Date().toUTCString();
  for (const name of Object.keys(good)) {
    await context.route(`**/v1/${name}`, (route) =>
      route.fulfill({ body: served[name], contentType: 'application/cose', headers: { date: date() } }),
    );
  }
  await page.goto('/scan');
  await scanned(page, text);
  await shows(page, 'yellow');
  await page.locator('button.done').click();
  const untrusted = page.locator('.notice', { hasText: 'không đúng chữ ký' });
  for (const [what, document] of Object.entries(bad)) {
    served = { ...good, ...document };
    await update(page);
    await untrusted.waitFor({ timeout: 5_000 }).catch(() => assert.fail(`taken: ${what}`));
    served = good;
    await update(page);
    await untrusted.waitFor({ state: 'detached' });
  }
  // After a reload what is kept is proved again, and still held to its anchor.
  served = { ...good, ...bad['under another anchor'] };
  await page.reload();
  await untrusted.waitFor();
  await scanned(page, text);
  await shows(page, 'yellow');
  await context.close();
});

test('a handheld scanner types into the page, a text is pasted, a picture is chosen', async () => {
  const [first, second] = await certificates(await service(), 2);
  const { page, context } = await visit(await browser(), '/scan');
  await page.locator('button.begin').focus();
  await scanned(page, first.text);
  await page.locator('[data-card="yellow"] .name', { hasText: first.name }).waitFor();
  assert.equal(await page.locator('main').getAttribute('data-phase'), 'start', 'what is typed presses no button');

  await page.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text', text);
    dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
  }, second.text);
  await page.locator('[data-card="yellow"] .name', { hasText: second.name }).waitFor();

  const { bytes: buffer } = await served(await service(), first.uvci, 'hc1');
  await page.locator('input[type=file]').setInputFiles({ name: 'card.png', mimeType: 'image/png', buffer });
  await page.locator('[data-card="yellow"] .name', { hasText: first.name }).waitFor();
  await page.locator('button.done').click();

  const blank = readFileSync(join(root, 'src/web/public/app/icon-192.png'));
  for (const [buffer, sentence] of [[blank, 'Không thấy mã QR'], [Buffer.from('no picture'), 'Không mở được tệp']]) {
    await page.locator('input[type=file]').setInputFiles({ name: 'x.png', mimeType: 'image/png', buffer });
    await page.locator('.notice', { hasText: sentence }).waitFor();
  }
  await context.close();
});

test('whoever has no camera, or refuses it, is told what to do', async () => {
  const refusing = await startBrowser(['--use-fake-device-for-media-stream', '--deny-permission-prompts']);
  for (const [browser_, sentence] of [[await browser(), 'không có máy ảnh'], [refusing, 'cho phép Máy ảnh']]) {
    const { page, context } = await visit(browser_, '/scan');
    await page.locator('button.begin').click();
    await page.locator('[role=alert]', { hasText: sentence }).waitFor();
    await context.close();
  }
});

test('a clock that is wrong by days is said to be, and the service’s counts', async () => {
  const [{ text, name }] = await certificates(await service(), 1);
  const { page, context } = await visit(await browser(), '/scan', { serviceWorkers: 'block' });
  await scanned(page, text);
  await page.locator('[data-card="yellow"] .name', { hasText: name }).waitFor();
  await page.locator('button.done').click();
  // From here on the service says that it is three days earlier; what it signs is then from the future, and not taken.
  const past = new Date(Date.now() - 3 * 86_400_000).toUTCString();
  await context.route('**/v1/**', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), date: past } });
  });
  await update(page);
  await page.locator('.notice', { hasText: 'sai 3 ngày' }).waitFor();
  await context.unroute('**/v1/**');
  await context.setOffline(true);
  await scanned(page, text);
  await page.locator('[data-card="red"] .advice', { hasText: 'Thẻ chưa có hiệu lực' }).waitFor();
  await context.close();
});

test('settings are kept, counts hold no more than numbers, and everything is for everybody', async () => {
  const [{ text, name }] = await certificates(await service(), 1);
  const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
  const { page, context } = await visit(await browser(), '/scan');
  await scanned(page, text);
  await shows(page, 'yellow');
  assert.deepEqual(await serious(page, axe), [], 'an answer');
  await page.locator('button.done').click();
  await scanned(page, 'no certificate at all');
  await shows(page, 'red');
  assert.deepEqual(await serious(page, axe), [], 'a rejection');
  await page.locator('button.done').click();
  await page.getByRole('button', { name: 'Cài đặt' }).click();
  await page.getByLabel('Chữ lớn').check();
  await page.getByLabel('Tương phản cao').check();
  await page.getByLabel('Dùng tay trái').check();
  assert.deepEqual(await serious(page, axe), [], 'the settings');
  await page.getByRole('button', { name: 'Xong' }).click();
  await page.reload();
  await page.locator('html.large.contrast main.left').waitFor();
  assert.match(await page.locator('.counts').innerText(), /● 0\s*◐ 1\s*✕ 1/);
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.ok(!stored.includes(name) && !stored.includes('VN1:'), stored);
  await context.close();
});
