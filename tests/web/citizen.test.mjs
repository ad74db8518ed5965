// The citizen's page as people use it: from a phone number to a card in the hand, and what they do when something is wrong.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { card, chooseCommune, dose, enterCode, fillHome, fillWho, iso, logIn, register, someone, step, vaccinated, verdictOf } from './citizens.mjs';
import { DESK, PHONE, browser, packages, service, startService, until, visit } from './harness.mjs';
import { serious } from './pages.test.mjs';

const standing = (page, name) => page.locator('article[data-standing]', { hasText: name });
const staff = async (role, path, { method = 'GET', body } = {}) => {
  const { url, tokens } = await service();
  const headers = { Authorization: `Bearer ${tokens[role]}`, 'Content-Type': 'application/json' };
  const response = await fetch(`${url}${path}`, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  assert.ok(response.ok, JSON.stringify(answer));
  return answer;
};

test('somebody registers by phone, is vaccinated twice, and each time holds a card that is good', async () => {
  const person = someone('Ngô Thị Sáng', '0977100001');
  const { page, context, errors } = await visit(await browser(), '/');
  await logIn(page, person.phone);
  await register(page, person);
  await standing(page, person.name).getByText('Đã đăng ký, đang chờ gọi').waitFor();

  await dose(await service(), person, 1);
  const yellow = await card(page, 'yellow', person.name);
  assert.match(await yellow.innerText(), /1\/2 MŨI[^]*Ngô Thị Sáng[^]*10\/05\/1980[^]*1\/2[^]*Pfizer[^]*01\/07\/2021/);
  const first = await verdictOf(await yellow.locator('.code img').screenshot(), 'first');
  assert.deepEqual([first.result, first.card, first.certificate.name, first.certificate.birth], ['accepted', 'yellow', person.name, iso(person)]);

  await dose(await service(), person, 2);
  const green = await card(page, 'green', person.name);
  assert.match(await green.innerText(), /ĐỦ MŨI[^]*2\/2/);
  // As large as the screen, and as a saved picture.
  await green.getByRole('button', { name: 'Chạm để phóng to' }).click();
  const large = page.getByRole('dialog');
  await large.getByText('Tăng độ sáng màn hình').waitFor();
  const shown = await verdictOf(await large.screenshot(), 'large');
  assert.deepEqual([shown.result, shown.card, shown.certificate.dose], ['accepted', 'green', 2]);
  await page.keyboard.press('Escape');
  await large.waitFor({ state: 'detached' });
  const saved = async (button) => {
    const [download] = await Promise.all([page.waitForEvent('download'), green.getByRole('button', { name: button }).click()]);
    return [download.suggestedFilename(), readFileSync(await download.path())];
  };
  const [name, picture] = await saved('Lưu ảnh');
  assert.equal(name, 'the-xanh-ngo-thi-sang.png');
  assert.equal((await verdictOf(picture, 'saved')).certificate.name, person.name);
  const [pdfName, pdf] = await saved('Lưu PDF');
  assert.deepEqual([pdfName, pdf.subarray(0, 5).toString()], ['the-xanh-ngo-thi-sang.pdf', '%PDF-']);
  assert.deepEqual(errors.filter((error) => !/401/.test(error)), [], 'but that nobody was logged in at first');
  await context.close();
});

test('what is missing or wrong is said beside its field, and what was filled in is still there after a reload', async () => {
  const { page, context } = await visit(await browser(), '/');
  await page.getByRole('button', { name: 'Gửi mã cho tôi' }).click();
  await page.getByText('Hãy nhập số điện thoại.').waitFor();
  await page.getByLabel('Số điện thoại của bạn').fill('12345');
  await page.keyboard.press('Enter');
  await page.locator('.field', { hasText: 'Số điện thoại của bạn' }).getByText('cần số điện thoại Việt Nam').waitFor();
  await page.getByLabel('Số điện thoại của bạn').fill('0977100002');
  await page.keyboard.press('Enter');
  assert.equal(await page.getByLabel('Mã 6 số').getAttribute('autocomplete'), 'one-time-code');
  assert.equal(await page.getByLabel('Mã 6 số').getAttribute('inputmode'), 'numeric');
  assert.match(await page.getByRole('button', { name: /Gửi lại mã/ }).innerText(), /còn \d+ giây/);
  const right = await page.locator('.demo').innerText();
  await page.getByLabel('Mã 6 số').fill(right === '000000' ? '000001' : '000000');
  await page.keyboard.press('Enter');
  await page.locator('.field', { hasText: 'Mã 6 số' }).locator('.error').waitFor();
  await enterCode(page, 'Vào');

  await page.getByRole('link', { name: 'Đăng ký tiêm' }).click();
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  const wrong = (field) => page.locator('.field', { hasText: field }).locator('.error');
  for (const field of ['Họ và tên', 'Ngày sinh', 'Giới tính']) await wrong(field).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-invalid')), 'true', 'the first wrong field has the focus');
  await fillWho(page, someone('Ngô Văn Sửa', '0977100002', { birth: ['31', '2', '1980'], sex: 'Nam', identity: '123' }));
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await wrong('Ngày sinh').getByText('Ngày này không có thật.').waitFor();
  await page.getByLabel('Ngày', { exact: true }).fill('28');
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await step(page, 2);
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  for (const field of ['Xã, phường', 'Số nhà', 'Nghề nghiệp']) await wrong(field).waitFor();
  await fillHome(page);

  await page.reload();
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await step(page, 3);
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await page.getByText('Hãy trả lời câu này.').first().waitFor();
  await page.getByRole('button', { name: 'Tất cả là “Không”' }).click();
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await step(page, 4);
  await page.getByRole('button', { name: 'Gửi đăng ký' }).click();
  await page.getByText('Cần đồng ý thì mới đăng ký được.').waitFor();
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Gửi đăng ký' }).click();
  // The service's own judgement goes to the step and the field that it is about.
  await step(page, 1);
  await wrong('Số CCCD').getByText('cần chín hoặc mười hai chữ số').waitFor();
  assert.equal(await page.getByLabel('Họ và tên', { exact: true }).inputValue(), 'Ngô Văn Sửa');

  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('thexanh.home'))), []);
  await context.close();
});

test('a commune is found by typing without marks, with its district and its province', async () => {
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, '0977100003');
  await page.getByRole('link', { name: 'Đăng ký tiêm' }).click();
  await fillWho(page, someone('Ngô Văn Tìm', '0977100003'));
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await chooseCommune(page, 'phuong ben nghe', 'Phường Bến Nghé, Quận 1, TP Hồ Chí Minh');
  await chooseCommune(page, 'BẾN NGHÉ q1 tphcm', 'Phường Bến Nghé, Quận 1, TP Hồ Chí Minh');
  await chooseCommune(page, 'phuc xa', 'Phường Phúc Xá, Quận Ba Đình, TP Hà Nội');
  // By the keys: down, up, Enter; Escape closes and chooses nothing.
  const box = page.getByRole('combobox', { name: 'Xã, phường nơi đang ở' });
  await box.fill('tan lap');
  const option = page.getByRole('listbox').getByRole('option');
  await option.first().waitFor();
  assert.equal(await box.getAttribute('aria-expanded'), 'true');
  const active = () => box.getAttribute('aria-activedescendant');
  const before = await active();
  await page.keyboard.press('ArrowDown');
  assert.notEqual(await active(), before);
  await page.keyboard.press('ArrowUp');
  assert.equal(await active(), before);
  const text = await page.locator(`[id="${before}"]`).innerText();
  await page.keyboard.press('Enter');
  assert.equal(await box.inputValue(), text);
  assert.equal(await box.getAttribute('aria-expanded'), 'false');
  await box.fill('ben nghe');
  await option.first().waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await option.count(), 0);
  await box.fill('khong co noi nao nhu vay');
  await page.getByText('Không tìm thấy.').waitFor();
  await context.close();
});

test('a child is registered by a parent under the parent’s number, and each has a card of their own', async () => {
  const [mother, child] = [someone('Đỗ Thị Mẹ', '0977100004'), someone('Đỗ Bé Con', '', { birth: ['1', '6', '2015'], sex: 'Nam' })];
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, mother.phone);
  await register(page, mother);
  await register(page, child, async () => {
    await page.getByRole('button', { name: 'Tiếp tục' }).click();
    await page.getByRole('radiogroup', { name: 'Quan hệ' }).getByText('Hãy chọn một.').waitFor();
    // Whom the account has already stands there.
    assert.equal(await page.getByLabel('Họ và tên người giám hộ').inputValue(), mother.name);
    assert.equal(await page.getByLabel('Số điện thoại người giám hộ').inputValue(), mother.phone);
    await page.getByLabel('Mẹ', { exact: true }).check();
  });
  await standing(page, child.name).getByText('Đã đăng ký, đang chờ gọi').waitFor();
  await dose(await service(), mother, 1);
  await card(page, 'yellow', mother.name);
  await standing(page, child.name).waitFor();
  await context.close();
});

test('somebody who registered sees that they were called and where they have a place', async () => {
  const person = someone('Ngô Văn Hẹn', '0977100005');
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, person.phone);
  await register(page, person);
  await standing(page, person.name).getByRole('link', { name: 'Xem chi tiết' }).click();
  const id = decodeURIComponent(new URL(page.url()).hash.split('/')[2]);
  const called = await staff('facility', `/v1/registrations/${id}`, { method: 'PATCH', body: { status: 'called', seen: { status: 'registered', contacts: 0 } } });
  assert.equal(called.status, 'called');
  await page.reload();
  await page.getByText('Cơ sở đã gọi').waitFor();
  const date = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10);
  const session = await staff('facility', '/v1/appointments/sessions', {
    method: 'POST',
    body: { facility: '79001', date, begins: '08:00', ends: '11:00', capacity: 10, product: 'EU/1/20/1528' },
  });
  await staff('facility', `/v1/appointments/sessions/${session.session}/places`, { method: 'POST', body: { person: id } });
  await page.reload();
  await page.getByText('Đã có lịch tiêm').waitFor();
  assert.match(await page.locator('main').innerText(), new RegExp(`${date.split('-').reverse().join('/')}, 08:00 đến 11:00\\s+Điểm tiêm chủng Quận 1`));
  // What can be changed of a registration, and taking it back.
  await page.getByRole('button', { name: 'Sửa nơi ở' }).click();
  await page.getByLabel('Nghề nghiệp').fill('Thợ may');
  await page.getByRole('button', { name: 'Lưu', exact: true }).click();
  await page.getByText('Đã lưu.').waitFor();
  await page.getByText('Thợ may').waitFor();
  await page.getByRole('button', { name: 'Khai lại sức khoẻ' }).click();
  await page.getByRole('button', { name: 'Lưu', exact: true }).click();
  await page.getByText('Hãy trả lời câu này.').first().waitFor();
  await page.getByRole('button', { name: 'Tất cả là “Không”' }).click();
  await page.getByRole('button', { name: 'Lưu', exact: true }).click();
  await page.getByText('Đã lưu.').waitFor();
  await page.getByRole('button', { name: 'Rút đăng ký' }).click();
  await page.getByRole('button', { name: 'Đúng, rút đăng ký' }).click();
  await page.getByText('Đã rút đăng ký.').waitFor();
  await page.getByRole('link', { name: 'Đăng ký lại' }).waitFor();
  await context.close();
});

/** A photo of a slip, large as phones make them. */
async function photo(page) {
  const base64 = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(3000, 2000);
    const context = canvas.getContext('2d');
    context.fillStyle = '#eee';
    context.fillRect(0, 0, 3000, 2000);
    context.fillStyle = '#000';
    context.font = '200px sans-serif';
    context.fillText('PHIẾU TIÊM', 200, 400);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  });
  return { name: 'phieu.png', mimeType: 'image/png', buffer: Buffer.from(base64, 'base64') };
}

test('a missing dose is reported with a photo, its deadline is seen, and what the facility answers', async () => {
  const person = someone('Ngô Thị Thiếu', '0977100006');
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, person.phone);
  await register(page, person);
  await page.getByRole('link', { name: 'Báo sai, báo thiếu' }).click();
  await page.getByText('Bạn chưa báo gì.').waitFor();
  await page.getByRole('link', { name: 'Báo điều sai hoặc thiếu' }).click();
  await page.getByRole('button', { name: 'Gửi cho cơ sở' }).click();
  for (const field of ['Cơ sở tiêm', 'Ngày tiêm đúng', 'Vắc-xin']) await page.locator('.field', { hasText: field }).locator('.error').first().waitFor();
  await page.getByLabel('Tỉnh, thành phố nơi tiêm').selectOption({ label: 'TP Hồ Chí Minh' });
  await page.getByRole('combobox', { name: 'Cơ sở tiêm' }).fill('quan 1');
  await page.getByRole('option', { name: 'Điểm tiêm chủng Quận 1' }).click();
  for (const [part, value] of [['Ngày', '3'], ['Tháng', '8'], ['Năm', '2021']]) await page.getByLabel(part, { exact: true }).fill(value);
  await page.getByLabel('Vắc-xin').selectOption('EU/1/20/1528');
  await page.getByLabel('Ảnh phiếu tiêm').setInputFiles({ name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('not a picture') });
  await page.getByText('Không mở được tệp này.').waitFor();
  await page.getByLabel('Ảnh phiếu tiêm').setInputFiles(await photo(page));
  await page.getByAltText('Đã chọn ảnh').waitFor();
  await page.getByRole('button', { name: 'Gửi cho cơ sở' }).click();

  await page.getByText('Đang chờ cơ sở trả lời').waitFor();
  assert.match(await page.locator('.due').innerText(), /Cơ sở phải trả lời trước .*\(còn 3 ngày\)/);
  await page.getByAltText('Ảnh bạn đã gửi').waitFor();
  for (const step of ['Đã gửi đề nghị', 'Đã gửi ảnh']) await page.getByText(step, { exact: true }).waitFor();
  await page.getByText('Điểm tiêm chủng Quận 1').first().waitFor();

  const id = decodeURIComponent(new URL(page.url()).hash.split('/')[2]);
  const path = `/v1/corrections/${encodeURIComponent(id)}`;
  const { version, photo: kept } = await staff('facility', path);
  assert.equal(kept, true);
  await staff('facility', path, { method: 'PATCH', body: { version, answer: 'accept', record_no: 'THIEU-1', given: { lot: 'FE8405' } } });
  await page.reload();
  await page.getByText('Đã sửa', { exact: true }).waitFor();
  await page.getByText('Đã sửa hồ sơ', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Xem thẻ' }).click();
  await card(page, 'yellow', person.name);
  await context.close();
});

test('wrong data is reported, and a refusal is shown with its reason', async () => {
  const person = someone('Ngô Văn Nhầm', '0977100007');
  const { page, context } = await visit(await browser(), '/');
  await vaccinated(page, person);
  await page.getByRole('link', { name: 'Xem chi tiết' }).click();
  await page.getByRole('link', { name: 'Báo điều sai hoặc thiếu' }).click();
  await page.getByLabel('Họ tên, ngày sinh hoặc giấy tờ ghi sai').check();
  await page.getByRole('button', { name: 'Gửi cho cơ sở' }).click();
  await page.getByText('Hãy điền ít nhất một chỗ cần sửa.').waitFor();
  await page.getByLabel('Số CCCD hoặc CMND').fill('12');
  await page.getByRole('button', { name: 'Gửi cho cơ sở' }).click();
  await page.locator('.field', { hasText: 'Số CCCD' }).locator('.error').waitFor();
  await page.getByLabel('Số CCCD hoặc CMND').fill('');
  await page.getByLabel('Họ và tên', { exact: true }).fill('Ngô Văn Nhẫm');
  await page.getByRole('button', { name: 'Gửi cho cơ sở' }).click();
  await page.getByText('Đang chờ cơ sở trả lời').waitFor();
  const path = `/v1/corrections/${encodeURIComponent(decodeURIComponent(new URL(page.url()).hash.split('/')[2]))}`;
  const { version } = await staff('facility', path);
  await staff('facility', path, { method: 'PATCH', body: { version, answer: 'reject', why: 'Giấy tờ ghi là Nhầm' } });
  await page.reload();
  await page.locator('[data-status="rejected"]').waitFor();
  await page.getByText('Giấy tờ ghi là Nhầm').waitFor();
  await context.close();
});

test('a reaction is reported, and a severe one says at once to call 115', async () => {
  const person = someone('Ngô Thị Mệt', '0977100008');
  const { page, context } = await visit(await browser(), '/');
  await vaccinated(page, person);
  await page.getByRole('link', { name: 'Xem chi tiết' }).click();
  await page.getByRole('link', { name: 'Báo phản ứng sau tiêm' }).click();
  await page.getByRole('button', { name: 'Gửi', exact: true }).click();
  await page.getByText('Hãy chọn ít nhất một.').waitFor();
  await page.getByLabel('Sốt', { exact: true }).check();
  await page.getByLabel(/^Vừa/).check();
  assert.equal(await page.getByRole('link', { name: 'Gọi 115' }).count(), 0);
  await page.getByLabel('Khó thở').check();
  await page.getByLabel(/^Nặng/).check();
  assert.equal(await page.getByRole('link', { name: 'Gọi 115' }).getAttribute('href'), 'tel:115');
  await page.getByRole('button', { name: 'Gửi', exact: true }).click();
  await page.getByText('Đã báo trung tâm đáp ứng').waitFor();
  await page.getByRole('link', { name: 'Gọi 115' }).waitFor();
  const { tickets } = await staff('response', '/v1/tickets?status=open');
  assert.ok(tickets.some(({ kind }) => kind === 'severe_reaction'), 'the response centre has it');
  await page.getByRole('link', { name: 'Quay lại' }).last().click();
  await page.getByText('Sốt, Khó thở').waitFor();
  await context.close();
});

test('a record from before the account is claimed by identity number, and a wrong claim gets nothing', async () => {
  const known = someone('Phạm Văn Cũ', '0977100009', { identity: '079080001234', sex: 'Nam' });
  await dose(await service(), { ...known, phone: '' }, 1);
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, known.phone);
  await page.getByRole('link', { name: 'Đã tiêm mà chưa có ở đây' }).click();
  await page.getByRole('button', { name: 'Nhận hồ sơ' }).click();
  for (const field of ['Họ và tên', 'Ngày sinh', 'Số CCCD']) await page.locator('.field', { hasText: field }).locator('.error').first().waitFor();
  await page.getByLabel('Họ và tên', { exact: true }).fill(known.name);
  for (const [at, part] of ['Ngày', 'Tháng', 'Năm'].entries()) await page.getByLabel(part, { exact: true }).fill(known.birth[at]);
  await page.getByLabel('Số CCCD hoặc CMND', { exact: true }).last().fill('079080009999');
  await page.getByRole('button', { name: 'Nhận hồ sơ' }).click();
  await page.getByText('Không thể nhận hồ sơ với thông tin này').waitFor();
  await page.getByLabel('Số CCCD hoặc CMND', { exact: true }).last().fill(known.identity);
  await page.getByRole('button', { name: 'Nhận hồ sơ' }).click();
  await page.getByText('Đã nhận hồ sơ.').waitFor();
  await card(page, 'yellow', known.name);
  await context.close();
});

test('a record is claimed by what the paper slip says', async () => {
  const known = someone('Phạm Thị Phiếu', '0977100010');
  await dose(await service(), known, 1, { lot: 'PH1' });
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, known.phone);
  await page.getByRole('link', { name: 'Đã tiêm mà chưa có ở đây' }).click();
  await page.getByLabel('Phiếu tiêm bằng giấy').check();
  await page.getByLabel('Họ và tên', { exact: true }).fill(known.name);
  const born = page.getByRole('group', { name: 'Ngày sinh' });
  for (const [at, part] of ['Ngày', 'Tháng', 'Năm'].entries()) await born.getByLabel(part, { exact: true }).fill(known.birth[at]);
  await page.getByLabel('Tỉnh, thành phố nơi tiêm').selectOption({ label: 'TP Hồ Chí Minh' });
  await page.getByRole('combobox', { name: 'Cơ sở tiêm' }).fill('quan 1');
  await page.getByRole('option', { name: 'Điểm tiêm chủng Quận 1' }).click();
  const given = page.getByRole('group', { name: 'Ngày tiêm' });
  for (const [part, value] of [['Ngày', '1'], ['Tháng', '7'], ['Năm', '2021']]) await given.getByLabel(part, { exact: true }).fill(value);
  await page.getByLabel('Số lô vắc-xin').fill('ph1');
  await page.getByRole('button', { name: 'Nhận hồ sơ' }).click();
  await page.getByText('Đã nhận hồ sơ.').waitFor();
  await context.close();
});

test('another phone number opens the account, and the old one no longer does', async () => {
  const person = someone('Ngô Văn Đổi', '0977100011');
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, person.phone);
  await register(page, person);
  await page.getByRole('link', { name: 'Đổi số điện thoại' }).click();
  await page.getByLabel('Số điện thoại mới').fill('0977100012');
  await page.getByRole('button', { name: 'Gửi mã cho tôi' }).click();
  await enterCode(page, 'Đổi số');
  await page.getByText('Đã đổi số.').waitFor();
  await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  await context.close();
});

test('the service gone, a card that was opened is there after a reload, until it is taken off the device', async () => {
  const own = await startService();
  const person = someone('Ngô Thị Giữ', '0977100013');
  const { page, context } = await visit(await browser(), `${own.url}/`);
  await logIn(page, person.phone);
  await register(page, person);
  await dose(own, person, 1);
  await card(page, 'yellow', person.name);
  await page.getByText(/^Giữ trên máy này lúc/).waitFor();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await until(() => page.evaluate(() => caches.match('/').then((found) => found !== undefined)), 'the page to be kept');
  await own.stop();

  await page.reload();
  await page.getByText('Không kết nối được với máy chủ. Thẻ giữ trên máy này vẫn dùng được.').waitFor();
  const kept = page.locator('[data-card="yellow"]', { hasText: person.name });
  assert.match(await kept.innerText(), /1\/2 MŨI/);
  await kept.getByRole('button', { name: 'Chạm để phóng to' }).click();
  await page.getByRole('dialog').getByRole('img').waitFor();
  await page.keyboard.press('Escape');
  const [download] = await Promise.all([page.waitForEvent('download'), kept.getByRole('button', { name: 'Lưu ảnh' }).click()]);
  assert.equal(download.suggestedFilename(), 'the-xanh-ngo-thi-giu.png');
  await page.getByRole('button', { name: 'Xoá khỏi máy này' }).click();
  await kept.waitFor({ state: 'detached' });
  await page.reload();
  await page.getByText('máy này chưa giữ thẻ nào').waitFor();
  await context.close();
});

test('logging out takes the cards off the device', async () => {
  const person = someone('Ngô Văn Ra', '0977100014');
  const { page, context } = await visit(await browser(), '/');
  await vaccinated(page, person);
  const other = await context.newPage();
  await other.goto('/');
  await other.locator('[data-card]').waitFor();
  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await other.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  assert.equal(await other.locator('[data-card]').count(), 0, 'nor are they left in another tab');
  await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  assert.equal(await page.locator('[data-card]').count(), 0);
  // Another code for the same number takes a while.
  await page.getByLabel('Số điện thoại của bạn').fill(person.phone);
  await page.keyboard.press('Enter');
  await page.getByText(/Hãy chờ \d+ giây/).waitFor();
  await context.close();
});

test('a card whose session is over stays on the device, until another account logs in there', async () => {
  const [first, second] = [someone('Ngô Thị Trước', '0977100017'), someone('Ngô Văn Sau', '0977100018')];
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, first.phone);
  await register(page, first);
  await dose(await service(), first, 1);
  await card(page, 'yellow', first.name);
  await context.clearCookies();
  await page.reload();
  await page.getByText('Bạn chưa đăng nhập.').waitFor();
  await page.locator('[data-card="yellow"]', { hasText: first.name }).waitFor();
  await logIn(page, second.phone);
  await page.getByText('Chưa có ai trong tài khoản này').waitFor();
  assert.equal(await page.locator('[data-card]').count(), 0);
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes('Trước')), false);
  await context.close();
});

test('a code that expires soon is made anew', async () => {
  const person = someone('Ngô Văn Hạn', '0977100019');
  const { page, context } = await visit(await browser(), '/');
  await logIn(page, person.phone);
  await register(page, person);
  await dose(await service(), person, 1);
  const shown = await card(page, 'yellow', person.name);
  const kept = () => page.evaluate(() => JSON.parse(localStorage.getItem('thexanh.home.cards')).cards[0].text);
  const before = await kept();
  assert.equal(await shown.getByRole('button', { name: 'Lấy mã mới' }).count(), 0);
  for (const [days, sentence] of [[350, 'Mã sắp hết hạn.'], [380, 'MÃ ĐÃ HẾT HẠN']]) {
    await page.clock.setFixedTime(Date.now() + days * 86_400_000);
    await page.reload();
    await shown.getByText(sentence).waitFor();
  }
  await shown.getByRole('button', { name: 'Lấy mã mới' }).click();
  await until(async () => (await kept()) !== before, 'the new code');
  await context.close();
});

test('a keyboard alone is enough to log in, register and open the card', async () => {
  const person = someone('Le Thi Phim', '0977100015');
  const { page, context } = await visit(await browser(), '/', { viewport: DESK });
  const { keyboard } = page;
  /** Tabs until what has the focus is called so. */
  const reach = async (name) => {
    for (let presses = 0; presses < 80; presses++) {
      const found = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element.matches('input, button, a')) return '';
        const label = element.labels?.[0]?.innerText ?? '';
        return `${element.getAttribute('aria-label') ?? ''} ${label} ${element.innerText ?? ''}`.trim();
      });
      if (found.includes(name)) return;
      await keyboard.press('Tab');
    }
    throw new Error(`the keyboard does not reach ${name}`);
  };
  const typed = async (name, text) => {
    await reach(name);
    await keyboard.type(text);
  };
  await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  await typed('Số điện thoại của bạn', person.phone);
  await keyboard.press('Enter');
  await page.getByLabel('Mã 6 số').waitFor();
  await typed('Mã 6 số', await page.locator('.demo').innerText());
  await keyboard.press('Enter');
  await page.getByRole('link', { name: 'Đăng ký tiêm' }).waitFor();
  await reach('Đăng ký tiêm');
  await keyboard.press('Enter');
  await step(page, 1);
  await typed('Họ và tên', person.name);
  for (const [at, part] of ['Ngày', 'Tháng', 'Năm'].entries()) await typed(part, person.birth[at]);
  await reach('Nữ');
  await keyboard.press('Space');
  // The number that one logged in with stands there already.
  assert.equal(await page.getByLabel('Số điện thoại để cơ sở gọi').inputValue(), person.phone);
  await keyboard.press('Enter');
  await step(page, 2);
  await typed('Xã, phường', 'ben nghe q1');
  await page.getByRole('listbox').getByRole('option').first().waitFor();
  await keyboard.press('Enter');
  await typed('Số nhà', '1');
  await typed('Nghề nghiệp', 'May');
  await keyboard.press('Enter');
  await step(page, 3);
  await reach('Tất cả là');
  await keyboard.press('Enter');
  await reach('Tiếp tục');
  await keyboard.press('Enter');
  await step(page, 4);
  await reach('Tôi đã đọc');
  await keyboard.press('Space');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Đã đăng ký xong' }).waitFor();
  await dose(await service(), person, 1);
  await page.goto('/');
  await card(page, 'yellow', person.name);
  await reach('Chạm để phóng to');
  await keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await context.close();
});

test('every part of the page speaks both languages and shuts nobody out', async () => {
  const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
  const person = someone('Ngô Thị Xem', '0977100016');
  const { page, context } = await visit(await browser(), '/', { viewport: PHONE });
  await vaccinated(page, person);
  await page.getByRole('link', { name: 'Xem chi tiết' }).click();
  const id = decodeURIComponent(new URL(page.url()).hash.split('/')[2]);
  const parts = ['', 'register', 'claim', 'phone', 'corrections', 'corrections/new', `person/${id}`, `person/${id}/reaction`];
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const part of parts) {
      await page.goto(`/#/${part}`);
      await page.getByRole('button', { name: 'Đăng xuất' }).waitFor();
      const words = [];
      for (const language of ['vi', 'en']) {
        assert.deepEqual(await serious(page, axe), [], `${part}, ${colorScheme}, ${language}`);
        words.push(await page.getByRole('heading', { level: 1 }).innerText());
        await page.locator('button.language').click();
      }
      if (!part.startsWith('person')) assert.notEqual(words[0], words[1], part);
    }
  }
  await context.close();
});
