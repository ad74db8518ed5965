// Staff at their pages: logged in by the demo's buttons; and what the service's own API says to them.
import assert from 'node:assert/strict';
import { service } from './harness.mjs';

/** What a demo log-in's button says, in either language. */
const BUTTONS = { province: /Hồ Chí Minh/, ministry: /Bộ Y tế|Ministry/i, response: /trung tâm đáp ứng|response centre/i, facility: /Quận 1/ };

/** Logs in at a page of staff by the demo's button for `role`, and waits for the page's own head. */
export async function enter(page, role) {
  await page.locator('main section.login button').filter({ hasText: BUTTONS[role] }).first().click();
  await page.locator('main section.login').waitFor({ state: 'detached' });
}

/** What the API answers `role`'s token at `path`, parsed. */
export async function asked(role, path) {
  const { url, tokens } = await service();
  const response = await fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${tokens[role]}` } });
  assert.equal(response.status, 200, path);
  return response.json();
}

let people = 0;

/**
 * Records at the demo's first site that `count` new people of `ward` had a first dose `daysAgo`, `full` of them their second one then
 * and the first one four weeks before.
 */
export async function vaccinate(count, { ward = '26734', daysAgo = 0, full = 0 } = {}) {
  const { url, tokens } = await service();
  const rows = Array.from({ length: count }, (_, at) => {
    const number = ++people;
    const person = {
      name: `Hoàng Văn ${letters(number)}`,
      birth: `19${50 + (number % 50)}-0${1 + (number % 9)}-1${number % 9}`,
      sex: 'male',
      phone: `0935${String(number).padStart(6, '0')}`,
      ward,
    };
    const dose = (nth, days) => {
      const given_at = new Date(Date.now() - days * 86_400_000 - 60_000).toISOString();
      return { record_no: `WEB-${number}-${nth}`, person, product: 'EU/1/20/1528', lot: 'W1', given_at, number: nth };
    };
    return at < full ? [dose(1, daysAgo + 28), dose(2, daysAgo)] : [dose(1, daysAgo)];
  });
  const headers = { Authorization: `Bearer ${tokens.facility}`, 'Content-Type': 'application/x-ndjson' };
  const body = rows.flat().map((row) => `${JSON.stringify(row)}\n`).join('');
  const response = await fetch(`${url}/v1/doses`, { method: 'POST', headers, body });
  const answers = (await response.text()).trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(answers.filter(({ status }) => status !== 201), [], 'the doses are recorded');
}

/** A name of letters alone that no other number has. */
const letters = (number) => `N${[...String(number)].map((digit) => 'ABCDEGHIKL'[digit]).join('').toLowerCase()}`;

/** Registers `count` new people who live in `wards`, in turns, through accounts of their own. */
export async function register(count, wards) {
  const { url } = await service();
  const post = async (path, body, headers = {}) => {
    const sent = { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) };
    const response = await fetch(`${url}${path}`, sent);
    assert.ok(response.ok, `${path}: ${response.status}`);
    return response.json();
  };
  const { version, questions, consent } = await (await fetch(`${url}/v1/reference/declaration`)).json();
  const declaration = { version, answers: questions.map(({ id }) => ({ question: id, yes: false })) };
  for (let left = count; left > 0; left -= 20) {
    const phone = `0936${String(++people).padStart(6, '0')}`;
    const { id, demo_code } = await post('/v1/sessions', { phone });
    const { token } = await post(`/v1/sessions/${id}/confirm`, { code: demo_code });
    for (let member = 0; member < Math.min(left, 20); member += 1) {
      const number = ++people;
      const person = {
        name: `Đinh Thị ${letters(number)}`, birth: `198${number % 10}-04-0${1 + (number % 9)}`, sex: 'female', identity: `079${String(number).padStart(9, '1')}`,
        ward: wards[number % wards.length], address: 'Số 1', occupation: 'Công nhân', priority: number % 10, declaration,
        consent: { version: consent.version, by: 'self' },
      };
      await post('/v1/registrations', person, { Authorization: `Bearer ${token}` });
    }
  }
}

/** People in every province, some registered, some vaccinated, so that there is something to be seen. */
export async function fill() {
  const { url } = await service();
  const get = async (path) => (await fetch(`${url}/v1/reference/${path}`)).json();
  const wards = [];
  for (const { code } of await get('provinces')) {
    const [district] = await get(`districts?province=${code}`);
    wards.push((await get(`wards?district=${district.code}`))[0].code);
  }
  for (const [at, ward] of wards.entries()) {
    const count = 3 + ((at * 7) % 9);
    await vaccinate(count, { ward, daysAgo: (at * 5) % 50, full: Math.round((count * ((at * 13) % 11)) / 10) });
  }
  for (const ward of ['26740', '26743', '26758', '27043']) await vaccinate(6, { ward, daysAgo: 1, full: 4 });
  await register(160, [...wards, '26740', '26743', '26743', '26758']);
}
