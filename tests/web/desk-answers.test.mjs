// What a site puts right: a dose voided, a backlog's bad rows repaired, a correction answered.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { QUARTER_1, THU_DUC, logIn, shownCode, typeDose, verified } from './desk.mjs';
import { DESK, browser, service, visit } from './harness.mjs';
import { registered } from './people.mjs';

test('a mistyped dose is voided with a reason, and its code is refused from then on', async () => {
  const own = await service();
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
  await logIn(page);
  await typeDose(page, { name: 'Tạ Thị Gõ Nhầm', birth: '1990', phone: '0955000010' });
  const { text, verdict } = await shownCode(page, own.url);
  assert.equal(verdict.result, 'accepted');
  await page.getByRole('button', { name: 'Sửa hoặc huỷ mũi này' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Huỷ mũi tiêm' }).click();
  await dialog.getByText('Cần lý do.').waitFor();
  await dialog.getByLabel('Lý do').fill('nhầm người');
  await dialog.getByRole('button', { name: 'Huỷ mũi tiêm' }).click();
  await dialog.getByText('Đã huỷ.').waitFor();
  assert.equal((await verified(own.url, text)).reason, 'revoked');
  await dialog.getByRole('button', { name: 'Đóng' }).click();
  await page.locator('aside li.voided', { hasText: 'Tạ Thị Gõ Nhầm' }).waitFor();
  await context.close();
});

test('a backlog with bad rows is tried, imported, its rejects repaired and sent again', async () => {
  const { page, context } = await visit(await browser(), '/desk#backlog', { viewport: DESK });
  await page.getByRole('button', { name: QUARTER_1 }).click();
  await page.getByText('Thả tệp vào đây').waitFor();
  const file = ['số hồ sơ;họ tên;ngày sinh;điện thoại;vắc xin;số lô;ngày tiêm;mũi số',
    'CU-1;Lương Thị Một;03/08/1971;0944000001;Pfizer;L1;01/07/2021;1',
    'CU-2;Lương Thị Hai;31/02/1972;0944000002;Pfizer;L1;01/07/2021;1',
    'CU-3;Lương Thị Ba;05/08/1973;0944000003;Thuốc lạ;L1;01/07/2021;1'].join('\r\n');
  const input = page.locator('input[type=file]');
  await input.setInputFiles({ name: 'ton.csv', mimeType: 'text/csv', buffer: Buffer.from(`\uFEFF${file}\r\n`) });
  const preview = page.locator('[data-preview]');
  await preview.waitFor();
  assert.match(await preview.innerText(), /Số dòng\s*3[^]*Ghi được\s*1[^]*Có lỗi\s*2/);
  const rows = await preview.locator('tbody tr').allInnerTexts();
  assert.match(rows[0], /^3\s+ngày sinh\s+\S+/);
  assert.match(rows[1], /^4\s+vắc xin\s+\S+/);
  await preview.getByRole('button', { name: 'Nhập 1 dòng' }).click();
  const done = page.locator('[data-import][data-status=done]').first();
  await done.waitFor({ timeout: 30_000 });
  assert.match(await done.innerText(), /Mũi mới\s*1[^]*Bị loại\s*2/);
  const [download] = await Promise.all([page.waitForEvent('download'), done.getByRole('button', { name: /Tải các dòng bị loại/ }).click()]);
  const rejects = readFileSync(await download.path(), 'utf8');
  const repaired = rejects.replace('31/02/1972', '28/02/1972').replace('Thuốc lạ', 'Pfizer');
  assert.notEqual(repaired, rejects);
  await input.setInputFiles({ name: 'sua.csv', mimeType: 'text/csv', buffer: Buffer.from(repaired) });
  await page.locator('[data-preview]', { hasText: 'Không thấy lỗi nào' }).waitFor();
  await page.getByRole('button', { name: 'Nhập tệp này' }).click();
  const again = page.locator('[data-import][data-status=done]').filter({ hasText: /Mũi mới\s*2/ });
  await again.waitFor({ timeout: 30_000 });
  await page.reload();
  await page.locator('[data-import]').nth(1).waitFor();
  await context.close();
});

test('a correction is answered: the data change and the old code falls', async () => {
  const own = await service();
  const [person] = await registered(own, ['Châu Thị Sai Ngày'], '0966000003');
  const headers = { Authorization: `Bearer ${own.tokens.facility}`, 'Content-Type': 'application/json' };
  const given = { record_no: 'SAI-1', person: { id: person.id, name: person.name, birth: person.birth }, product: 'EU/1/20/1528', lot: 'X', given_at: '2021-07-01T02:00:00Z', number: 1 };
  const dose = await (await fetch(`${own.url}/v1/doses`, { method: 'POST', headers, body: JSON.stringify(given) })).json();
  const said = { person: person.id, kind: 'wrong_data', text: 'Tôi tiêm ngày 2 tháng 7.', dose: dose.dose, given: { given_at: '2021-07-02T02:00:00Z' } };
  const asked = await fetch(`${own.url}/v1/corrections`, { method: 'POST', headers: { Authorization: person.authorization, 'Content-Type': 'application/json' }, body: JSON.stringify(said) });
  assert.equal(asked.status, 201, await asked.clone().text());
  const { id } = await asked.json();

  // Of another site's corrections there is nothing to be seen.
  const other = await visit(await browser(), '/desk#corrections', { viewport: DESK });
  await other.page.getByRole('button', { name: THU_DUC }).click();
  const empty = other.page.getByText('Không có đề nghị nào đang chờ.');
  await empty.or(other.page.locator('[data-correction]')).first().waitFor();
  assert.equal(await other.page.locator(`[data-correction="${id}"]`).count(), 0);
  await other.context.close();

  const { page, context } = await visit(await browser(), '/desk#corrections', { viewport: DESK });
  await page.getByRole('button', { name: QUARTER_1 }).click();
  await page.locator(`[data-correction="${id}"]`).getByRole('button', { name: 'Mở' }).click();
  await page.getByText('Tôi tiêm ngày 2 tháng 7.').waitFor();
  await page.locator('dl', { hasText: 'Đề nghị: 02/07/2021' }).waitFor();
  await page.locator('form').getByRole('button', { name: 'Chấp nhận' }).click();
  await page.getByText('Đã chấp nhận').waitFor();
  await page.locator(`[data-correction="${id}"]`).waitFor({ state: 'detached' });
  assert.equal((await verified(own.url, dose.text)).reason, 'revoked');
  await context.close();
});
