// The service and the browser that the tests share: each is started when it is first asked for, and stopped after the last test.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** What the pages' own package has installed. */
export const packages = createRequire(join(root, 'src/web/package.json'));
const { chromium } = packages('playwright-core');

const binary = resolve(root, process.env.THEXANH ?? 'target/debug/thexanh');
const scratch = join(root, 'target/web-tests');
mkdirSync(scratch, { recursive: true });

const closing = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** What is called once gives the same to all. */
const once = (make) => {
  let made;
  return () => (made ??= make());
};

/** Runs the binary with these arguments. Returns what it printed, whatever its exit status. */
export function run(args, input) {
  const ran = spawnSync(binary, args, { input, encoding: 'utf8', maxBuffer: 1 << 28, cwd: scratch });
  if (ran.error) throw new Error(`${binary}: ${ran.error.message}; cargo build makes it`);
  return ran.stdout;
}

/** A service of one test's own: `{ url, tokens, stop, pause, resume }`; `tokens` by role. What is paused comes back at its address.
 * `env`: settings more. */
export async function startService({ listen = '127.0.0.1:0', env = {} } = {}) {
  const data = mkdtempSync(join(scratch, 'data-'));
  if (!existsSync(binary)) throw new Error(`${binary} is not there; cargo build makes it`);
  let running = await launch(data, listen, env);
  const { url, tokens } = running;
  const pause = () => running.end();
  const resume = async () => {
    running = await launch(data, new URL(url).host, env);
  };
  const stop = async () => {
    await pause();
    for (const dir of [data, running.cluster()]) if (dir) rmSync(dir, { recursive: true, force: true });
  };
  return { url, tokens, stop, pause, resume };
}

/** Runs the demo on its data until `end`. */
async function launch(data, listen, env) {
  const child = spawn(binary, ['--data', data, '--json', 'demo', '--people', '12', '--listen', listen], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: scratch,
    env: { ...process.env, ...env },
  });
  // Where the database is that was started for it, if not in the data directory: nobody else will take it away.
  let cluster;
  createInterface(child.stderr).on('line', (line) => {
    cluster ??= /cluster=(\S+)/.exec(line)?.[1];
    if (/ (WARN|ERROR) |panicked/.test(line)) process.stderr.write(`${line}\n`);
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const tokens = {};
  let url;
  const ready = new Promise((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const said = JSON.parse(line);
      url ??= said.listening;
      if (said.role) tokens[said.role] = said.token;
      // The last thing that it says.
      if (said.role === 'verifier') resolve();
    });
    void ended.then((status) => reject(new Error(`the service ended with status ${status}`)));
  });
  await ready;
  const end = async () => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await ended;
  };
  return { url, tokens, end, cluster: () => cluster };
}

/** The service that all tests share. */
export const service = once(async () => {
  const started = await startService();
  closing.push(started.stop);
  return started;
});

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'];

/** A browser with these arguments more, and a profile of its own. */
export async function startBrowser(args = []) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: [...QUIET, ...args] });
  closing.push(() => browser.close());
  return browser;
}

/** A browser that keeps what it has in `profile`, and finds it there when it is started again: its only context. */
export async function startProfile(profile, options = {}) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: QUIET, ...options });
  closing.push(() => context.close());
  return context;
}

/** The browser that all tests share but those with a camera. */
export const browser = once(() => startBrowser());

/** A browser whose camera shows `film` over and over, and which allows it without asking. */
export function browserWithCamera(film) {
  return startBrowser([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-video-capture=${film}`,
  ]);
}

export const PHONE = { width: 390, height: 844 };
export const DESK = { width: 1280, height: 800 };

/** Browsers write every 401 into the console; here it is how the service says that nobody is logged in. */
const nobody = (message) => message.location().url.endsWith('/v1/session') && message.text().includes('401');

/** A new visitor: `{ page, context, errors }`. What the page complains of in its console, a refused load included, is in `errors`. */
export async function visit(browser, path, { viewport = PHONE, locale = 'vi-VN', ...options } = {}) {
  const { url } = await service();
  const context = await browser.newContext({ viewport, locale, baseURL: url, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on('console', (message) => message.type() === 'error' && !nobody(message) && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(path);
  return { page, context, errors };
}

/** Waits until `holds` gives something true, and returns it. */
export async function until(holds, what, timeout = 20_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
