// What citizens do on their page, in steps that tests share.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, service, until } from './harness.mjs';

/** Logs in with a number and the code that the demo shows. */
export async function logIn(page, phone) {
  await page.getByLabel('Số điện thoại của bạn').fill(phone);
  await page.getByRole('button', { name: 'Gửi mã cho tôi' }).click();
  await enterCode(page, 'Vào');
  await page.getByRole('button', { name: 'Đăng xuất' }).waitFor();
}

/** Enters the code that the demo shows. */
export async function enterCode(page, done) {
  const code = await page.locator('.demo').innerText();
  assert.match(code, /^\d{6}$/);
  await page.getByLabel('Mã 6 số').fill(code);
  await page.getByRole('button', { name: done, exact: true }).click();
}

/** Somebody who can be registered. */
export function someone(name, phone, { birth = ['10', '5', '1980'], sex = 'Nữ', identity = '' } = {}) {
  return { name, phone, birth, sex, identity };
}

/** `birth` of somebody as the API takes it. */
export const iso = ({ birth: [day, month, year] }) => [year, month.padStart(2, '0'), day.padStart(2, '0')].join('-');

const next = (page) => page.getByRole('button', { name: 'Tiếp tục' }).click();
export const step = (page, number) => page.locator(`form[data-step="${number}"]`).waitFor();

/** Fills in the first step. */
export async function fillWho(page, { name, phone, birth, sex, identity }) {
  await page.getByLabel('Họ và tên', { exact: true }).fill(name);
  for (const [at, part] of ['Ngày', 'Tháng', 'Năm'].entries()) await page.getByLabel(part, { exact: true }).fill(birth[at]);
  await page.getByLabel(sex, { exact: true }).check();
  await page.getByLabel('Số điện thoại để cơ sở gọi').fill(phone);
  await page.getByLabel('Số CCCD hoặc CMND').fill(identity);
}

/** Types part of a commune's name and takes the first that is found. */
export async function chooseCommune(page, typed, expected) {
  const box = page.getByRole('combobox', { name: 'Xã, phường nơi đang ở' });
  await box.fill(typed);
  await page.getByRole('listbox').getByRole('option', { name: expected }).first().click();
  assert.match(await box.inputValue(), new RegExp(expected));
}

/** Fills in the second step. */
export async function fillHome(page) {
  await chooseCommune(page, 'phuong ben nghe', 'Phường Bến Nghé, Quận 1, TP Hồ Chí Minh');
  await page.getByLabel('Số nhà, đường, thôn, ấp').fill('12 Lê Lợi');
  await page.getByLabel('Nghề nghiệp').fill('Giáo viên');
}

/** Registers somebody from the citizen's own page on, and comes back to it. */
export async function register(page, person, more = async () => undefined) {
  await page.getByRole('link', { name: /^Đăng ký/ }).click();
  await step(page, 1);
  await fillWho(page, person);
  await more();
  await next(page);
  await step(page, 2);
  await fillHome(page);
  await next(page);
  await step(page, 3);
  await page.getByRole('button', { name: 'Tất cả là “Không”' }).click();
  await next(page);
  await step(page, 4);
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Gửi đăng ký' }).click();
  await page.getByRole('heading', { name: 'Đã đăng ký xong' }).waitFor();
  await page.getByRole('link', { name: 'Về trang của tôi' }).click();
  await page.getByRole('heading', { name: 'Thẻ của bạn và người nhà' }).waitFor();
}

/** Records a dose of somebody as the facility does. Returns the API's answer. */
export async function dose({ url, tokens }, person, number, { given = `2021-0${6 + number}-01T02:00:00Z`, lot = 'W1' } = {}) {
  const { name, phone, sex, identity } = person;
  const sexes = { Nữ: 'female', Nam: 'male', Khác: 'other' };
  const sent = { name, birth: iso(person), sex: sexes[sex], ...(phone && { phone }), ...(identity && { identity }) };
  const record = { record_no: `${name}-${number}`, person: sent, product: 'EU/1/20/1528', lot, given_at: given, number };
  const response = await fetch(`${url}/v1/doses`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${tokens.facility}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(record),
  });
  const answer = await response.json();
  assert.equal(response.status, 201, JSON.stringify(answer));
  return answer;
}

/** Shows the page anew until a card of this colour is there, and returns it. */
export async function card(page, colour, name) {
  const shown = page.locator(`[data-card="${colour}"]`, { hasText: name });
  await until(async () => {
    if (await shown.count()) return true;
    await page.reload();
    await page.getByRole('heading', { level: 1 }).waitFor();
    return shown.waitFor({ timeout: 1_500 }).then(() => true, () => false);
  }, `a ${colour} card of ${name}`);
  return shown;
}

/** The verdict of the service's own command on the QR code in a picture, by the service's keys. */
export async function verdictOf(picture, name) {
  const { url } = await service();
  const file = (ending) => join(root, 'target/web-tests', `${name}.${ending}`);
  writeFileSync(file('png'), picture);
  writeFileSync(file('json'), await (await fetch(`${url}/v1/trust-list`)).text());
  return JSON.parse(run(['verify', '--json', '--trust', file('json'), '--image', file('png')]));
}

/** Logs in, registers somebody who then gets a first dose, and waits for the yellow card. */
export async function vaccinated(page, person) {
  await logIn(page, person.phone);
  await register(page, person);
  await dose(await service(), person, 1);
  await card(page, 'yellow', person.name);
}
