// Logging in: the demo's roles by a button, and staff by OpenID Connect against a certified provider.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { DESK, PHONE, browser, packages, root, startService, visit } from './harness.mjs';
import { serious } from './pages.test.mjs';

/** Waits until the page is what it is for somebody who is logged in. */
const inside = (page) => page.locator('button.leave').waitFor();
const out = (page) => page.locator('section.login').waitFor();

/** A port that was free a moment ago: both sides must know the other's address before they start. */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** What the provider knows of whom. */
const ACCOUNTS = {
  'y-ta': { role: 'facility', facility: '79001' },
  'ban-chi-dao': { role: ['province'], province: '79' },
  'nguoi-moi': {},
  'co-so-la': { role: 'facility', facility: '99999' },
};

/** A certified provider, and a service that logs in by it. */
async function startBoth() {
  const [port, own] = [await freePort(), await freePort()];
  const { Provider } = await import(pathToFileURL(packages.resolve('oidc-provider')).href);
  const [issuer, url] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${own}`];
  const warn = console.warn;
  console.warn = () => undefined; // it says at length that it is for development
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'thexanh-web',
        client_secret: 'a secret: 100%',
        redirect_uris: [`${url}/login/openid/callback`],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ['sub', 'role', 'facility', 'province'] },
    conformIdTokenClaims: false,
    findAccount: (_, sub) => (ACCOUNTS[sub] ? { accountId: sub, claims: () => ({ sub, ...ACCOUNTS[sub] }) } : undefined),
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
  });
  const listening = provider.listen(port, '127.0.0.1');
  await new Promise((resolve) => listening.once('listening', resolve));
  console.warn = warn;
  const secret = join(root, 'target/web-tests/openid-secret');
  writeFileSync(secret, 'a secret: 100%\n');
  const env = {
    THEXANH_OPENID_ISSUER: issuer,
    THEXANH_OPENID_CLIENT_ID: 'thexanh-web',
    THEXANH_OPENID_CLIENT_SECRET_FILE: secret,
    THEXANH_OPENID_NAME: 'Cổng thử',
    THEXANH_HTTP_PUBLIC_URL: url,
  };
  const service = await startService({ listen: `127.0.0.1:${own}`, env });
  const stop = async () => {
    await service.stop();
    listening.closeAllConnections();
    await new Promise((resolve) => listening.close(resolve));
  };
  return { service, provider, stop };
}

let both;
before(async () => {
  both = await startBoth();
});
after(() => both?.stop());

/** A visitor of the service with the provider, at `path`. */
const visitor = (path, options = {}) => visit2(path, options);
async function visit2(path, options) {
  const context = await (await browser()).newContext({ viewport: DESK, locale: 'vi-VN', baseURL: both.service.url, ...options });
  const page = await context.newPage();
  await page.goto(path);
  return { page, context };
}

/** Logs in at the provider as `account`, whose page has come up. */
async function identify(page, account) {
  await page.locator('input[name=login]').fill(account);
  await page.locator('input[name=password]').fill('whatever');
  await page.locator('button[type=submit]').click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

test('a role of the demo is a button, and one who logs out is out in every tab', async () => {
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
  await out(page);
  assert.equal(await page.locator('section.login button').count(), 4, 'the facilities, and nobody else');
  await page.getByRole('button', { name: /Quận 1/ }).click();
  await inside(page);
  assert.match(await page.locator('header .who').textContent(), /Quận 1/);
  const second = await context.newPage();
  await second.goto('/desk');
  await inside(second);
  assert.equal(await second.evaluate(() => document.cookie), '', 'no script sees a cookie');
  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await out(page);
  await out(second);
  await page.reload();
  await out(page);
  await context.close();
});

test('a page says for whom it is to one who is somebody else, and nothing of it is shown', async () => {
  const { page, context } = await visit(await browser(), '/board', { viewport: DESK });
  await page.getByRole('button', { name: /Hồ Chí Minh/ }).click();
  await inside(page);
  await page.goto('/desk');
  await out(page);
  await page.getByText('Trang này dành cho cơ sở tiêm chủng.').waitFor();
  assert.match(await page.locator('section.login').textContent(), /đang đăng nhập với vai trò: sở y tế tỉnh/);
  await page.getByRole('button', { name: /Ba Đình/ }).click();
  await page.locator('section.login').waitFor({ state: 'detached' });
  await context.close();
});

test('a page of staff that was opened opens as theirs without a network', async () => {
  const { page, context } = await visit(await browser(), '/desk', { viewport: DESK });
  await page.getByRole('button', { name: /Quận 1/ }).click();
  await inside(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => caches.match('/desk').then((found) => found !== undefined));
  await context.setOffline(true);
  await page.reload();
  await inside(page);
  await page.getByText('trang đang dùng lần đăng nhập trước').waitFor();
  await context.close();
});

test('a nurse logs in by OpenID Connect with PKCE, works, and logs out', async () => {
  const { page, context } = await visitor('/desk');
  const sent = page.waitForRequest((request) => request.url().includes('/auth?'));
  await page.getByRole('link', { name: 'Đăng nhập bằng Cổng thử' }).click();
  const asked = new URL((await sent).url()).searchParams;
  assert.deepEqual([asked.get('code_challenge_method'), asked.get('code_challenge').length], ['S256', 43]);
  await identify(page, 'y-ta');
  await inside(page);
  assert.equal(new URL(page.url()).pathname, '/desk');
  assert.match(await page.locator('header .who').textContent(), /Quận 1/);
  const session = await page.evaluate(() =>
    fetch('/v1/session', { headers: { 'X-Thexanh-Session': 'staff' } }).then((response) => response.json()),
  );
  assert.deepEqual([session.role, session.subject, session.facility], ['facility', 'y-ta', '79001']);
  const cookies = await context.cookies(both.service.url);
  const { httpOnly, sameSite, secure } = cookies.find(({ name }) => name === 'thexanh-staff');
  assert.deepEqual({ httpOnly, sameSite, secure }, { httpOnly: true, sameSite: 'Strict', secure: false });
  assert.equal(cookies.find(({ name }) => name === 'thexanh-login'), undefined, 'what began is over');
  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await out(page);
  const after = await context.cookies(both.service.url);
  assert.equal(after.find(({ name }) => name === 'thexanh-staff'), undefined);
  await context.close();
});

test('a province logs in by OpenID Connect from the page of log-ins and comes to its own', async () => {
  const { page, context } = await visitor('/login');
  await page.getByRole('link', { name: 'Đăng nhập bằng Cổng thử' }).click();
  await identify(page, 'ban-chi-dao');
  await inside(page);
  assert.equal(new URL(page.url()).pathname, '/board');
  await context.close();
});

test('an account without a role or a place here gets a sentence in both languages, and may try again', async () => {
  for (const [account, vi, en] of [
    ['nguoi-moi', 'chưa có vai trò nào ở đây', 'has no role here'],
    ['co-so-la', 'chưa gắn với một cơ sở', 'belongs to no facility'],
  ]) {
    const { page, context } = await visitor('/desk');
    await page.getByRole('link', { name: 'Đăng nhập bằng Cổng thử' }).click();
    await identify(page, account);
    await page.getByRole('alert').filter({ hasText: vi }).waitFor();
    assert.equal(new URL(page.url()).pathname, '/login');
    await page.locator('button.language').click();
    await page.getByRole('alert').filter({ hasText: en }).waitFor();
    const again = await page.getByRole('link', { name: 'Log in with Cổng thử' }).getAttribute('href');
    assert.equal(again, '/login/openid?next=%2Fdesk', 'back to where they came from');
    await context.close();
  }
});

test('who refuses at the provider is told so', async () => {
  const { page, context } = await visitor('/desk');
  await page.getByRole('link', { name: 'Đăng nhập bằng Cổng thử' }).click();
  await page.getByText('Cancel').click();
  await page.getByRole('alert').filter({ hasText: 'không đồng ý' }).waitFor();
  await context.close();
});

test('a log-in that began in another browser ends in no session', async () => {
  const victim = await visitor('/desk');
  const attacker = await visitor('/desk');
  await attacker.page.route('**/login/openid/callback**', (route) => route.abort());
  await attacker.page.getByRole('link', { name: 'Đăng nhập bằng Cổng thử' }).click();
  const back = attacker.page.waitForRequest('**/login/openid/callback**');
  await identify(attacker.page, 'y-ta').catch(() => undefined);
  const link = (await back).url();
  assert.match(link, /code=/);
  await victim.page.goto(link);
  await victim.page.getByRole('alert').filter({ hasText: 'trình duyệt khác' }).waitFor();
  const cookies = await victim.context.cookies(both.service.url);
  assert.equal(cookies.find(({ name }) => name === 'thexanh-staff'), undefined);
  await victim.context.close();
  await attacker.context.close();
});

test('nobody is shut out of the log-in by how they see, hear or move', async () => {
  const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
  for (const path of ['/desk', '/login', '/login?failed=role&next=/desk']) {
    for (const locale of ['vi-VN', 'en-GB']) {
      for (const viewport of [PHONE, DESK]) {
        for (const colorScheme of ['light', 'dark']) {
          const { page, context } = await visitor(path, { locale, viewport, colorScheme });
          await page.locator('section.login a.button').waitFor();
          assert.deepEqual(await serious(page, axe), [], `${path} ${locale} ${viewport.width} ${colorScheme}`);
          await context.close();
        }
      }
    }
  }
});

test('the log-in takes the keyboard alone', async () => {
  const { page, context } = await visit(await browser(), '/centre', { viewport: DESK });
  await page.locator('section.login li button').first().waitFor();
  for (let pressed = 0; pressed < 12; pressed += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement?.closest('section.login li') !== null)) break;
  }
  await page.keyboard.press('Enter');
  await inside(page);
  await context.close();
});
