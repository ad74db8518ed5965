// What the tests of the desk share: logging in, typing a dose, reading the code on the screen.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packages, root } from './harness.mjs';

export const QUARTER_1 = 'Điểm tiêm chủng Quận 1';
export const THU_DUC = 'Điểm tiêm chủng Thành phố Thủ Đức';

/** Logs in by the demo's button of a site. */
export async function logIn(page, site = QUARTER_1) {
  await page.getByRole('button', { name: site }).click();
  await page.locator('#find').waitFor();
  await page.locator('.find[data-list=fresh]').waitFor();
}

/** What the service says of the code in a picture of the page. */
async function verdict(picture, url) {
  const { readBarcodes, prepareZXingModule } = await import(packages.resolve('zxing-wasm/reader'));
  const wasmBinary = readFileSync(join(root, 'src/web/node_modules/zxing-wasm/dist/reader/zxing_reader.wasm')).buffer;
  prepareZXingModule({ overrides: { wasmBinary } });
  const [found] = await readBarcodes(new Blob([picture]), { formats: ['QRCode'] });
  assert.ok(found, 'there is a code in the picture');
  const response = await fetch(`${url}/v1/verify`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: found.text });
  return { text: found.text, verdict: await response.json() };
}

/** The code on the card that is shown, read back from the screen. */
export async function shownCode(page, url) {
  const image = page.locator('[data-card] .code img');
  await image.waitFor();
  return verdict(await image.screenshot(), url);
}

/** The service's verdict on a text. */
export const verified = async (url, text) =>
  (await fetch(`${url}/v1/verify`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: text })).json();

/** Types what a dose of somebody new takes, and sends it: by the keyboard alone. */
export async function typeDose(page, { name, birth, phone = '', identity = '' }, first = true) {
  await page.locator('#find').focus();
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  await page.locator('form [data-field="person.birth"]').waitFor();
  for (const text of [birth, undefined, phone, identity]) {
    if (text !== undefined) await page.keyboard.type(text);
    await page.keyboard.press('Enter');
  }
  if (first) {
    await page.keyboard.type('Pfizer');
    await page.keyboard.press('Enter');
    for (const text of ['fe8405', `31/12/${new Date().getFullYear() + 1}`, 'Lê Văn Tám']) {
      await page.keyboard.type(text);
      await page.keyboard.press('Enter');
    }
  }
  await page.locator('button[type=submit]:focus').waitFor();
  await page.keyboard.press('Enter');
}

/** What the service has under a record number of 79001. */
export async function recorded({ url, tokens }, record_no) {
  const headers = { Authorization: `Bearer ${tokens.facility}` };
  const query = new URLSearchParams({ record_no, purpose: 'a test' });
  const { doses } = await (await fetch(`${url}/v1/doses?${query}`, { headers })).json();
  return doses;
}
