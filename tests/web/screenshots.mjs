// What every page looks like, at phone and desk width, into target/screenshots: to be looked at, not compared.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { cable } from './cable.mjs';
import { film, served } from './codes.mjs';
import { dose, card, fillWho, logIn, register, someone, step } from './citizens.mjs';
import { DESK, PHONE, browser, browserWithCamera, root, service, visit } from './harness.mjs';
import { certificates } from './people.mjs';
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
