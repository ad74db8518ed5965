// The desk as a site uses it: people found, doses recorded by the keyboard, in both languages.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { runInThisContext } from 'node:vm';
import { bundled } from './bundled.mjs';
import { logIn, recorded, shownCode, typeDose } from './desk.mjs';
import { DESK, PHONE, browser, packages, service, visit } from './harness.mjs';
import { serious } from './pages.test.mjs';
import { placed, registered } from './people.mjs';

test('days, times and people are understood as they are typed', async () => {
  const dates = runInThisContext(`${await bundled('desk/dates.ts')}; verifier`);
  for (const text of ['3/8/2021', '03-08-2021', '03.08.2021', '03082021', '2021-08-03', ' 3 8 2021 ']) assert.equal(dates.isoDay(text), '2021-08-03', text);
  for (const text of ['', '31/02/2021', '29/02/2021', '3/13/2021', '2021', '3/8/21', 'x']) assert.equal(dates.isoDay(text), undefined, text);
  assert.equal(dates.isoDay('29/02/2020'), '2020-02-29');
  assert.deepEqual(['1950', '10/1983', '1983-10', '10/10/1983', '1799', '13/1983'].map(dates.isoBirth), ['1950', '1983-10', '1983-10', '1983-10-10', undefined, undefined]);
  assert.deepEqual(['8:05', '0805', '8h5', '23:59', '24:00', '12:60'].map(dates.isoTime), ['08:05', '08:05', '08:05', '23:59', undefined, undefined]);
  // 23:59:59 and 0:00 in Viet Nam.
  assert.deepEqual([1627837199, 1627837200].map(dates.dayOf), ['2021-08-01', '2021-08-02']);
  assert.deepEqual(['1983-08-01', '1983-08-02', '1983'].map((birth) => dates.yearsOld(birth, '2021-08-01')), [38, 37, 38]);

  const { indexed, means } = runInThisContext(`${await bundled('desk/fold.ts')}; verifier`);
  const thao = indexed('Nguyễn Thị Phương Thảo', ['+84912345678', '2345', 'd211127-kqft-001']);
  for (const query of ['', 'nguyen thi ph', 'NGUYỄN THỊ', 'ng thao', 'phuong', '0912', '+84 912 345', '912345678', '2345', 'd211127-kqft']) {
    assert.ok(means(query, thao), query);
  }
  for (const query of ['thi nguyen', 'huong', 'nguyenthi', '0913', '9999', 'd211128']) assert.ok(!means(query, thao), query);
  assert.ok(means('dao duc', indexed('Đào Đức Đạt', [])));
});

test('a dose is recorded by the keyboard alone, and its code is good at once; the next one takes a name and three keys', async () => {
  const { url } = await service();
  const { page, context, errors } = await visit(await browser(), '/desk', { viewport: DESK });
  await logIn(page);
  await page.locator('#find:focus').waitFor();
  const begun = Date.now();
  await typeDose(page, { name: 'vũ thị bàn phím', birth: '10101983', phone: '0977000001', identity: '001183077001' });
  const { text, verdict } = await shownCode(page, url);
  assert.ok(Date.now() - begun < 15_000, 'all of it within 15 s');
  assert.deepEqual([verdict.result, verdict.card], ['accepted', 'yellow']);
  assert.deepEqual([verdict.certificate.name, verdict.certificate.birth, verdict.certificate.product], ['Vũ Thị Bàn Phím', '1983-10-10', 'EU/1/20/1528']);
  assert.equal(await page.locator('[data-card]').getAttribute('data-card'), 'yellow');
  assert.match(await page.locator('.word').innerText(), /1\/2 MŨI/);

  // The site's things are kept: who vaccinates, and what with.
  await page.keyboard.press('Enter');
  await page.locator('#find:focus').waitFor();
  await typeDose(page, { name: 'vũ văn bàn phím', birth: '1950', phone: '0977000002' }, false);
  const second = await shownCode(page, url);
  assert.equal(second.verdict.certificate.name, 'Vũ Văn Bàn Phím');
  assert.equal(second.verdict.certificate.birth, '1950');
  assert.notEqual(second.text, text);

  // Whoever was here before is found on the device, their second dose proposed.
  await page.keyboard.press('Enter');
  await page.locator('#find:focus').waitFor();
  await page.keyboard.type('vu thi ban');
  await page.locator('[role=option]', { hasText: 'Vũ Thị Bàn Phím' }).waitFor();
  await page.keyboard.press('Enter');
  await page.locator('button[type=submit]:focus').waitFor();
  assert.equal(await page.locator('[data-field=number]').inputValue(), '2');
  assert.match(await page.locator('form').innerText(), /Mới 0 ngày từ mũi trước/);
  await page.keyboard.press('Escape');
  await page.locator('#find:focus').waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('people are found in a keystroke’s time without marks, by phone and by the number’s end; others are asked for', async () => {
  const own = await service();
  const people = await registered(own, ['Nguyễn Thị Phương Thảo', 'Nguyễn Thị Phượng', 'Trần Đức Đạt', 'Nguyễn Thị Đào'], '0966000001');
  await placed(own, people);
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
  await logIn(page);
  const options = page.locator('[role=option].known');
  await options.filter({ hasText: 'Trần Đức Đạt' }).waitFor();
  const names = async (query) => {
    await page.locator('#find').fill(query);
    // The next picture of the page shows the answer: nobody was asked for it.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    return page.locator('[role=option].known strong').allInnerTexts();
  };
  assert.deepEqual(new Set(await names('nguyen thi ph')), new Set(['Nguyễn Thị Phương Thảo', 'Nguyễn Thị Phượng']));
  assert.deepEqual(await names('nguyen thi phuong th'), ['Nguyễn Thị Phương Thảo']);
  assert.deepEqual(await names('dat'), ['Trần Đức Đạt']);
  assert.deepEqual(await names(people[3].identity.slice(-4)), ['Nguyễn Thị Đào']);
  assert.deepEqual(await names('khong co ai'), []);
  assert.match(await page.locator('.find').innerText(), /Không có ai như vậy/);

  // Somebody whom only the service knows: a second dose for them.
  const headers = { Authorization: `Bearer ${own.tokens.facility}`, 'Content-Type': 'application/json' };
  const given = { record_no: 'ELSEWHERE-1', person: { name: 'Hồ Văn Nơi Khác', birth: '1970-02-03', identity: '079070000123' }, product: 'EU/1/20/1528', lot: 'X', given_at: '2021-07-01T02:00:00Z', number: 1 };
  assert.ok((await fetch(`${own.url}/v1/doses`, { method: 'POST', headers, body: JSON.stringify(given) })).ok);
  await page.locator('#find').fill('079070000123');
  await page.keyboard.press('Enter');
  await page.locator('form .name', { hasText: 'Hồ Văn Nơi Khác' }).waitFor();
  assert.equal(await page.locator('[data-field=number]').inputValue(), '2');
  await page.keyboard.press('Escape');

  // What a handheld scanner types of an identity card fills the person in.
  await page.locator('#find').fill('079088000999||Lý Thị Thẻ|03021988|Nữ|1 Lê Lợi|01012021');
  await page.keyboard.press('Enter');
  await page.locator('.find [role=status]', { hasText: 'không có ai' }).waitFor();
  await page.locator('[role=option].new').click();
  assert.equal(await page.locator('[data-field="person.name"]').inputValue(), 'Lý Thị Thẻ');
  assert.equal(await page.locator('[data-field="person.identity"]').inputValue(), '079088000999');
  await context.close();
});

test('a dose of somebody in the session’s list is theirs, and the list says so', async () => {
  const own = await service();
  const [person] = await registered(own, ['Đoàn Thị Trong Danh Sách'], '0966000002');
  await placed(own, [person]);
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
  await page.addInitScript(() => localStorage.setItem('thexanh.desk.defaults.79001', JSON.stringify({ product: 'EU/1/21/1529', lot: 'AZ1', lot_expires_on: '', vaccinator: 'A' })));
  await page.reload();
  await logIn(page);
  await page.keyboard.type('doan thi trong');
  await page.locator('[role=option].known').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('button[type=submit]:focus').waitFor();
  await page.keyboard.press('Enter');
  const { verdict } = await shownCode(page, own.url);
  assert.equal(verdict.certificate.name, 'Đoàn Thị Trong Danh Sách');
  const record_no = await page.locator('[data-card] dd').last().innerText();
  assert.equal((await recorded(own, record_no))[0].person, person.id, 'nobody was enrolled a second time');
  await page.keyboard.press('Enter');
  await page.locator('#find:focus').waitFor();
  await page.keyboard.type('doan thi trong');
  await page.locator('[role=option].known', { hasText: 'Đã tiêm' }).waitFor();
  await context.close();
});

test('a card of the list takes the place of the card that is shown, with its own code', async () => {
  const own = await service();
  const { page, context, errors } = await visit(await browser(), '/desk', { viewport: DESK });
  await logIn(page);
  const [first, second] = ['Ông Thị Thẻ Trước', 'Ông Văn Thẻ Sau'];
  await typeDose(page, { name: first, birth: '1981', phone: '0977000011' });
  assert.equal((await shownCode(page, own.url)).verdict.certificate.name, first);
  await page.getByRole('button', { name: 'Người tiếp theo' }).click();
  await page.locator('#find:focus').waitFor();
  await typeDose(page, { name: second, birth: '1982', phone: '0977000012' }, false);
  await page.locator('[data-card] .name', { hasText: second }).waitFor();
  assert.equal((await shownCode(page, own.url)).verdict.certificate.name, second);
  await page.locator('aside li', { hasText: first }).locator('button.what').click();
  await page.locator('[data-card] .name', { hasText: first }).waitFor();
  assert.equal((await shownCode(page, own.url)).verdict.certificate.name, first);
  assert.deepEqual(errors, []);
  await context.close();
});

test('everybody can use the desk, in both languages, light and dark', async () => {
  const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
  for (const [viewport, colorScheme, locale] of [[PHONE, 'light', 'vi-VN'], [DESK, 'dark', 'en-GB']]) {
    const { page, context, errors } = await visit(await browser(), '/desk', { viewport, colorScheme, locale });
    await logIn(page);
    const look = async (what) => assert.deepEqual(await serious(page, axe), [], `${what}, ${colorScheme}`);
    await look('the search');
    await page.keyboard.type('khong ai');
    await look('nobody found');
    await page.keyboard.press('Enter');
    await page.locator('form.card').waitFor();
    await page.locator('button[type=submit]').click();
    await look('a form with errors');
    await page.keyboard.press('Escape');
    for (const part of ['backlog', 'corrections', 'changes']) {
      await page.locator(`nav a[href="#${part}"]`).click();
      await page.locator('main h2:visible').first().waitFor();
      await look(part);
    }
    const words = locale === 'vi-VN' ? /Thay đổi chờ người thứ hai/ : /Changes that wait for a second person/;
    assert.match(await page.locator('main').innerText(), words);
    assert.deepEqual(errors, []);
    await context.close();
  }
});
