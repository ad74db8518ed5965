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
