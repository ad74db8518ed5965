// What every page looks like, at phone and desk width, into target/screenshots: to be looked at, not compared.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { cable } from './cable.mjs';
import { film, served } from './codes.mjs';
import { dose, card, fillWho, logIn, register, someone, step } from './citizens.mjs';
import { DESK, PHONE, browser, browserWithCamera, root, service, visit } from './harness.mjs';
import { certificates, placed, registered } from './people.mjs';
import { enter, fill } from './staff.mjs';

const dir = join(root, 'target/screenshots');
mkdirSync(dir, { recursive: true });

const sizes = { phone: PHONE, desk: DESK };

/** The page that `prepare` leaves, at every size; `variants`: more options of the visitor by the file's ending. */
async function shoot(browser_, name, path, prepare = async () => undefined, variants = { '': {} }) {
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const [ending, options] of Object.entries(variants)) {
      const { page, context } = await visit(browser_, path, { viewport, ...options });
      await page.locator('main').waitFor();
      await prepare(page);
      await page.screenshot({ path: join(dir, `${name}${ending}-${size}.png`) });
      await context.close();
    }
  }
}

test('the pages as they open', async () => {
  const variants = { '': {}, '-dark': { colorScheme: 'dark' }, '-en': { locale: 'en-GB' } };
  for (const [name, path] of Object.entries({ home: '/', scan: '/scan', desk: '/desk', board: '/board', centre: '/centre', login: '/login', 'login-failed': '/login?failed=role&next=/desk' })) {
    await shoot(await browser(), name, path, undefined, variants);
  }
});

test('the scanner’s answers', async () => {
  const people = await certificates(await service(), 2, [1, 2]);
  const [begun] = await certificates(await service(), 1);
  const scenes = [{ picture: await served(await service(), people[0].uvci), seconds: 4 }];
  const camera = await browserWithCamera(await film(await browser(), join(root, 'target/web-tests/shot.y4m'), scenes));
  const scanned = (text) => async (page) => {
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
    await page.locator('[data-card]').waitFor();
    await page.locator('[data-server="agrees"]').waitFor();
  };
  const live = async (page) => {
    if ((await page.locator('main').getAttribute('data-phase')) === 'start') await page.locator('button.begin').click();
    await page.locator('[data-card] [data-server="agrees"]').waitFor();
  };
  await shoot(camera, 'scan-green', '/scan', live);
  await shoot(camera, 'scan-large', '/scan', async (page) => {
    const liked = { large: true, contrast: true, left: true, sound: true, buzz: true };
    await page.evaluate((liked) => localStorage.setItem('thexanh.scan.settings', JSON.stringify(liked)), liked);
    await page.reload();
    await live(page);
  });
  await shoot(await browser(), 'scan-yellow', '/scan', scanned(begun.text), { '': {}, '-en': { locale: 'en-GB' } });
  const idle = await browserWithCamera(await film(await browser(), join(root, 'target/web-tests/idle.y4m'), [{ seconds: 1 }]));
  await shoot(idle, 'scan-live', '/scan', async (page) => {
    if ((await page.locator('main').getAttribute('data-phase')) === 'start') await page.locator('button.begin').click();
    await page.locator('.frame').waitFor();
  });
  const forged = begun.text.slice(0, -1) + (begun.text.endsWith('0') ? '1' : '0');
  await shoot(await browser(), 'scan-red', '/scan', scanned(forged));
  await shoot(await browser(), 'scan-settings', '/scan', (page) => page.getByRole('button', { name: 'Cài đặt' }).click());
  await shoot(await browser(), 'scan-none', '/scan', async (page) => {
    await page.locator('button.begin').click();
    await page.locator('[role=alert]').waitFor();
  });
});

test('the overview, filled', async () => {
  await fill();
  const variants = { '': {}, '-dark': { colorScheme: 'dark' }, '-en': { locale: 'en-GB' } };
  /** Lower down on the page, as one scrolls. */
  const at = (role, part) => async (page) => {
    await enter(page, role);
    await page.locator('[data-number="registered"]').waitFor();
    if (part) await page.locator(part).evaluate((element) => element.scrollIntoView());
    await page.waitForTimeout(500);
  };
  await shoot(await browser(), 'board-country', '/board', at('ministry'), variants);
  await shoot(await browser(), 'board-map', '/board', at('ministry', '.places'), variants);
  await shoot(await browser(), 'board-trend', '/board', at('ministry', 'section[aria-labelledby="trend-title"]'));
  await shoot(await browser(), 'board-sites', '/board', at('ministry', '#facilities'));
  await shoot(await browser(), 'board-province', '/board', at('province'), variants);
  await shoot(await browser(), 'board-districts', '/board', at('province', '.places'));
});

test('the response centre at work', async () => {
  const variants = { '': {}, '-dark': { colorScheme: 'dark' }, '-en': { locale: 'en-GB' } };
  const live = async (page) => {
    await enter(page, 'response');
    await page.locator('[data-live="true"]').waitFor();
  };
  await shoot(await browser(), 'centre-live', '/centre', async (page) => {
    await live(page);
    await page.waitForTimeout(3000);
  }, variants);
  for (const said of ['Chị Lan gọi: đã tiêm hai mũi nhưng thẻ vẫn hiện 1/2 mũi.', 'Anh Hùng không nhận được mã xác nhận.']) {
    const { page, context } = await visit(await browser(), '/centre', { viewport: DESK });
    await live(page);
    await page.locator('#tickets button.new').click();
    await page.locator('dialog select').selectOption('79');
    await page.locator('dialog textarea').fill(said);
    await page.locator('dialog button[type="submit"]').click();
    await page.locator('article .said').waitFor();
    await context.close();
  }
  await shoot(await browser(), 'centre-ticket', '/centre', async (page) => {
    await live(page);
    await page.locator('button.item').first().click();
    await page.locator('#tickets').evaluate((element) => element.scrollIntoView());
  }, variants);
  const line = await cable();
  const lost = async (page) => {
    line.mend();
    await live(page);
    line.cut();
    await page.locator('.connection .badge.bad').waitFor({ timeout: 30_000 });
    line.mend();
  };
  await shoot(await browser(), 'centre-lost', '/centre', lost, { '': { baseURL: line.url } });
  line.close();
});

test('the citizen’s page', async () => {
  const { page, context } = await visit(await browser(), '/');
  const shot = async (name, schemes = ['light'], fullPage = true) => {
    for (const colorScheme of schemes) {
      for (const [size, viewport] of Object.entries(sizes)) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize(viewport);
        const path = join(dir, `home-${name}${colorScheme === 'dark' ? '-dark' : ''}-${size}.png`);
        await page.screenshot({ path, fullPage });
      }
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(PHONE);
  };
  const both = ['light', 'dark'];
  const at = async (part) => {
    await page.goto(`/#/${part}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
  };
  const person = someone('Nguyễn Thị Phương Thảo', '0977200001');
  await page.getByLabel('Số điện thoại của bạn').fill('0977200002');
  await page.getByRole('button', { name: 'Gửi mã cho tôi' }).click();
  await page.locator('.demo').waitFor();
  await shot('code');
  await page.getByRole('button', { name: 'Dùng số khác' }).click();
  await logIn(page, person.phone);
  await shot('nobody');
  await page.getByRole('link', { name: 'Đăng ký tiêm' }).click();
  await step(page, 1);
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await shot('register-errors', both);
  await fillWho(page, person);
  await page.getByRole('button', { name: 'Tiếp tục' }).click();
  await page.getByRole('combobox', { name: 'Xã, phường nơi đang ở' }).fill('ben nghe');
  await page.getByRole('listbox').getByRole('option').first().waitFor();
  await shot('register-commune', both);
  await page.getByRole('button', { name: 'Xoá và làm lại từ đầu' }).click();
  await page.getByRole('link', { name: 'Quay lại' }).click();
  await register(page, person);
  await shot('waiting', both);
  await dose(await service(), person, 1);
  await card(page, 'yellow', person.name);
  await shot('yellow', both);
  await dose(await service(), person, 2);
  const green = await card(page, 'green', person.name);
  await shot('green', both);
  await page.locator('button.language').click();
  await shot('green-en');
  await page.locator('button.language').click();
  await green.getByRole('button', { name: 'Chạm để phóng to' }).click();
  await shot('code-large', both, false);
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Xem chi tiết' }).click();
  await page.getByRole('heading', { name: 'Thông tin đăng ký' }).waitFor();
  await shot('person', both);
  await page.getByRole('link', { name: 'Báo phản ứng sau tiêm' }).click();
  await page.getByLabel('Khó thở').check();
  await page.getByLabel(/^Nặng/).check();
  // As they are on the screen: part of each keeps its place there.
  await shot('reaction', both, false);
  await at('corrections/new');
  await page.getByLabel('Họ tên, ngày sinh hoặc giấy tờ ghi sai').check();
  await page.getByLabel('Họ và tên', { exact: true }).fill('Nguyễn Thị Phương Thảo');
  await shot('correction-new');
  await page.getByRole('button', { name: 'Gửi cho cơ sở' }).click();
  await page.getByText('Đang chờ cơ sở trả lời').waitFor();
  await shot('correction', both);
  await at('claim');
  await page.getByLabel('Phiếu tiêm bằng giấy').check();
  await shot('claim');
  await at('register');
  await fillWho(page, someone('Đỗ Bé Con', '', { birth: ['1', '6', '2015'] }));
  await shot('register-child');
  await context.close();
});

test('the desk at work', async () => {
  const phones = ['0966100001', '0966100002'];
  const variants = { '': {}, '-dark': { colorScheme: 'dark' }, '-en': { locale: 'en-GB' } };
  const defaults = { product: 'EU/1/20/1528', lot: 'FE8405', lot_expires_on: `31/12/${new Date().getFullYear() + 1}`, vaccinator: 'Lê Văn Tám' };
  const people = await registered(await service(), ['Nguyễn Thị Phương Thảo', 'Trần Đức Đạt', 'Nguyễn Thị Phượng', 'Hồ Thị Ảnh', 'Hồ Văn Ảnh', 'Hồ Văn Hình'], phones[0]);
  await placed(await service(), people);
  const logIn = async (page) => {
    await page.evaluate((defaults) => localStorage.setItem('thexanh.desk.defaults.79001', JSON.stringify(defaults)), defaults);
    await page.getByRole('button', { name: 'Điểm tiêm chủng Quận 1' }).click();
    await page.locator('#find').waitFor();
    await page.locator('[role=option]').first().waitFor();
  };
  const find = (text) => async (page) => {
    await logIn(page);
    await page.keyboard.type(text);
    await page.locator('[role=option].known').first().waitFor();
  };
  const choose = (text) => async (page) => {
    await find(text)(page);
    await page.keyboard.press('Enter');
    await page.locator('button[type=submit]:focus').waitFor();
  };
  const record = (text) => async (page) => {
    await choose(text)(page);
    await page.keyboard.press('Enter');
    await page.locator('[data-card] .code img').waitFor();
  };
  await shoot(await browser(), 'desk-list', '/desk', logIn, variants);
  await shoot(await browser(), 'desk-found', '/desk', find('nguyen thi ph'));
  await shoot(await browser(), 'desk-dose', '/desk', choose('tran duc dat'), variants);
  let nth = 0;
  const names = ['nguyen thi phuong thao', 'nguyen thi phuong', 'ho thi anh', 'ho van anh', 'ho van hinh', 'tran duc dat'];
  await shoot(await browser(), 'desk-card', '/desk', (page) => record(names[nth++])(page), variants);
  const errors = async (page) => {
    await logIn(page);
    await page.keyboard.type('mai');
    await page.getByText('Ghi người mới: Mai').click();
    await page.locator('[data-field="person.birth"]').fill('31/02/1980');
    await page.locator('[data-field="person.phone"]').fill('09123');
    await page.locator('button[type=submit]').click();
  };
  await shoot(await browser(), 'desk-errors', '/desk', errors);
  const slip = async (page) => {
    await choose('nguyen thi phuong thao')(page);
    await page.context().setOffline(true);
    await page.keyboard.press('Enter');
    await page.locator('.slip').waitFor();
  };
  await shoot(await browser(), 'desk-slip', '/desk', slip);
  const change = async (page) => {
    await logIn(page);
    await page.locator('aside').getByRole('button', { name: /^Sửa:/ }).first().click();
    await page.getByRole('dialog').waitFor();
  };
  await shoot(await browser(), 'desk-change', '/desk', change);
  const backlog = async (page) => {
    await page.getByRole('button', { name: 'Điểm tiêm chủng Quận 1' }).click();
    await page.locator('input[type=file]').waitFor({ state: 'attached' });
  };
  await shoot(await browser(), 'desk-backlog', '/desk#backlog', backlog, variants);
  const file = ['số hồ sơ;họ tên;ngày sinh;điện thoại;vắc xin;số lô;ngày tiêm;mũi số'];
  for (let n = 0; n < 40; n++) file.push(`A-${n};Lương Thị ${n % 4 ? 'Một' : '1'};0${1 + (n % 9)}/08/1971;09440001${10 + n};${n % 5 ? 'Pfizer' : 'Thuốc lạ'};L1;01/07/2021;1`);
  const preview = async (page) => {
    await backlog(page);
    await page.locator('input[type=file]').setInputFiles({ name: 'thang-7.csv', mimeType: 'text/csv', buffer: Buffer.from(file.join('\n')) });
    await page.locator('[data-preview]').waitFor();
  };
  await shoot(await browser(), 'desk-preview', '/desk#backlog', preview);
  await shoot(await browser(), 'desk-imported', '/desk#backlog', async (page) => {
    await preview(page);
    await page.locator('[data-preview] button').first().click();
    await page.locator('[data-status=done]').waitFor();
  });
  const corrections = async (page) => {
    await page.getByRole('button', { name: 'Điểm tiêm chủng Quận 1' }).click();
    await page.locator('[data-correction]').first().waitFor();
  };
  await shoot(await browser(), 'desk-corrections', '/desk#corrections', corrections, variants);
  await shoot(await browser(), 'desk-correction', '/desk#corrections', async (page) => {
    await corrections(page);
    await page.locator('[data-correction]').filter({ hasText: 'Dữ liệu sai' }).first().getByRole('button').click();
    await page.locator('form').waitFor();
  });
});

test('what the desk prints', async () => {
  const [person] = await registered(await service(), ['Nguyễn Hoàng Thị Phương Thảo Nguyên'], '0966100003');
  const headers = { Authorization: `Bearer ${(await service()).tokens.facility}`, 'Content-Type': 'application/json' };
  const dose = { record_no: 'D210701-IN-001', person: { id: person.id, name: person.name, birth: person.birth }, product: 'EU/1/20/1528', lot: 'X', given_at: '2021-07-01T02:00:00Z', number: 1 };
  await fetch(`${(await service()).url}/v1/doses`, { method: 'POST', headers, body: JSON.stringify(dose) });
  for (const [kind, button] of [['label', 'In tem'], ['sheet', 'In giấy A4']]) {
    const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
    await page.addInitScript(() => (window.print = () => undefined));
    await page.reload();
    await page.getByRole('button', { name: 'Điểm tiêm chủng Quận 1' }).click();
    await page.locator('#find').waitFor();
    await page.evaluate(() => localStorage.setItem('thexanh.desk.defaults.79001', JSON.stringify({ product: 'EU/1/20/1528', lot: 'FE8405', lot_expires_on: '', vaccinator: 'A' })));
    await page.keyboard.type('nguyen hoang thi phuong thao');
    await page.locator('[role=option].known').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('button[type=submit]:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('[data-card] .code img').waitFor();
    await page.getByRole('button', { name: button }).click();
    await page.locator(`.paper.${kind} img`).waitFor({ state: 'attached' });
    await page.pdf({ path: join(dir, `desk-print-${kind}.pdf`), preferCSSPageSize: true, printBackground: true });
    await context.close();
  }
});
