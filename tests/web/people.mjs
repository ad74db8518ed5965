// People and their doses, recorded through the service's own API.
import assert from 'node:assert/strict';

/** Doses of a course of two recorded at the desk, for `count` people: `{ name, text, uvci, card }` of the last of `numbers` each. */
export async function certificates({ url, tokens }, count, numbers = [1], family = 'Trần') {
  const rows = [];
  for (let person = 0; person < count; person++) {
    for (const number of numbers) {
      const name = `${family} Thị ${'Một Hai Ba Bốn Năm Sáu Bảy Tám Chín Mười'.split(' ')[person]}`;
      const given = { name, birth: `198${person}-05-${10 + person}`, sex: 'female', phone: `${family === 'Trần' ? '098765' : '097654'}${4320 + person}` };
      rows.push({ record_no: `${family}-${person}-${number}`, person: given, product: 'EU/1/20/1528', lot: 'W1', given_at: `2021-0${6 + number}-01T02:00:00Z`, number });
    }
  }
  const headers = { Authorization: `Bearer ${tokens.facility}`, 'Content-Type': 'application/x-ndjson' };
  const body = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const response = await fetch(`${url}/v1/doses`, { method: 'POST', headers, body });
  assert.equal(response.status, 200, 'the doses are recorded');
  const answers = (await response.text()).trim().split('\n').map((line) => JSON.parse(line));
  const last = answers.filter((_, at) => at % numbers.length === numbers.length - 1);
  return last.map((answer, at) => ({ ...answer, name: rows[at * numbers.length].person.name }));
}

/**
 * People who registered themselves, as one family under one phone number: `{ id, name, birth, identity, authorization }`, the last
 * one being the header of whoever answers for them.
 */
export async function registered({ url }, names, phone) {
  const post = async (path, body, headers = {}) => {
    const response = await fetch(`${url}${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
    assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
    return response.json();
  };
  const { id, demo_code } = await post('/v1/sessions', { phone });
  const { token } = await post(`/v1/sessions/${id}/confirm`, { code: demo_code });
  const authorization = `Bearer ${token}`;
  const form = await (await fetch(`${url}/v1/reference/declaration`)).json();
  const declaration = { version: form.version, answers: form.questions.map((question) => ({ question: question.id, yes: false })) };
  const people = [];
  for (const [nth, name] of names.entries()) {
    const birth = `198${nth}-03-0${nth + 1}`;
    const identity = `0790${String(Number(phone) % 1_000_000_000).padStart(9, '0').slice(-7)}${nth}`;
    const body = { name, birth, sex: nth % 2 ? 'male' : 'female', identity, ward: '26734', address: '1 Lê Lợi', occupation: 'Giáo viên', priority: 8, declaration, consent: { version: form.consent.version, by: 'self' } };
    const made = await post('/v1/registrations', body, { Authorization: authorization });
    people.push({ id: made.id, name, birth, identity, authorization });
  }
  return people;
}

/** Gives people places in a session of facility 79001's today. */
export async function placed({ url, tokens }, people) {
  const headers = { Authorization: `Bearer ${tokens.facility}`, 'Content-Type': 'application/json' };
  const post = async (path, body) => {
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
    return response.json();
  };
  const date = new Date(Date.now() + 7 * 3600_000).toISOString().slice(0, 10);
  const { session } = await post('/v1/appointments/sessions', { facility: '79001', date, begins: '07:30', ends: '17:00', capacity: 50 });
  for (const { id } of people) await post(`/v1/appointments/sessions/${session}/places`, { person: id });
}
