// The verifier in TypeScript gives the service's verdict, reason by reason, on every vector: in the browser, where it is used.
import assert from 'node:assert/strict';
import { X509Certificate, createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { bundled } from './bundled.mjs';
import { browser, root, run, service, visit } from './harness.mjs';

const own = JSON.parse(readFileSync(join(root, 'tests/vectors/verify.json'), 'utf8'));

/** A page of the service with the verifier in it. */
async function withVerifier() {
  const { page } = await visit(await browser(), '/desk');
  await page.evaluate(await bundled('verify/index.ts'));
  return page;
}

/** The verdicts of the verifier in `page` on `asked`, `{ text, at }` each, by a trust list and revoked UVCIs. */
async function verdicts(page, trust, revoked, asked) {
  const { url } = await service();
  const rules = await (await fetch(`${url}/v1/rules`)).json();
  return page.evaluate(
    async ([trust, revoked, asked, rules]) => {
      const { entriesOf, trustList, verify } = globalThis.verifier;
      const key = (entry) => String(entry);
      const gone = new Set();
      for (const uvci of revoked) (await entriesOf(uvci)).forEach((entry) => gone.add(key(entry)));
      const standing = (entries) => (entries.some((entry) => gone.has(key(entry))) ? 'revoked' : 'good');
      const known = { trust: trustList(trust), revocations: { version: 0, standing }, rules };
      const given = [];
      for (const { text, at } of asked) given.push(await verify(text, known, at));
      return given;
    },
    [trust, revoked, asked, rules],
  );
}

/** What both are to agree in: all but when and by which versions it was said. */
function said({ checked_at: _, as_of: __, ...verdict }) {
  return verdict;
}

test('the page gives the verdict on each of our own vectors that is laid down for it', async () => {
  const page = await withVerifier();
  const given = await verdicts(page, own.trust_list, own.revoked, own.vectors);
  assert.ok(given.length >= 60);
  own.vectors.forEach(({ name, expected }, at) => {
    const { kid: _, ...verdict } = said(given[at]);
    assert.deepEqual(verdict, expected, name);
  });
  await page.context().close();
});

test('a signature that WebCrypto could not check is checked by the library, with the same answer', async () => {
  const page = await withVerifier();
  const given = await page.evaluate(async () => {
    const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
    const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
    const message = new TextEncoder().encode('m');
    const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, message));
    const verify = await globalThis.verifier.ed25519ByLibrary(raw);
    const spoilt = signature.with(0, signature[0] ^ 1);
    return [await verify(signature, message), await verify(spoilt, message), await verify(signature.slice(1), message)];
  });
  assert.deepEqual(given, [true, false, false]);
  await page.context().close();
});

/** Where a public corpus is, or nothing, with a loud line. */
function corpus(name) {
  const dir = resolve(root, process.env.VECTORS_DIR ?? '../shared/vectors', name);
  if (existsSync(dir)) return dir;
  console.error(`NOT RUN: ${dir} is not there: the verifier in TypeScript was not held to it`);
  return undefined;
}

test('CertLogic says what its specification says', async () => {
  const dir = corpus('certlogic/certlogic/specification/testSuite');
  if (!dir) return;
  const asked = [];
  for (const name of readdirSync(dir).sort()) {
    for (const { certLogicExpression: common, assertions } of JSON.parse(readFileSync(join(dir, name), 'utf8')).cases ?? []) {
      for (const { certLogicExpression: logic = common, data, expected } of assertions) asked.push({ name, logic, data, expected });
    }
  }
  const page = await withVerifier();
  const given = await page.evaluate((asked) => {
    const say = ({ logic, data }) => {
      try {
        return globalThis.verifier.valueOf(logic, data, { steps: 20_000 });
      } catch {
        return 'unanswerable';
      }
    };
    return asked.map(say);
  }, asked);
  const right = asked.filter(({ expected }, at) => JSON.stringify(given[at]) === JSON.stringify(expected));
  // What is looked in is no array there: the service cannot ask such a rule either.
  const unanswerable = asked.filter(({ name }, at) => given[at] === 'unanswerable' && name === 'ins-with-nulls.json');
  assert.ok(asked.length > 200);
  assert.equal(right.length + unanswerable.length, asked.length);
  assert.equal(unanswerable.length, 4);
  await page.context().close();
});

/** Every vector of the member states with a certificate: `{ name, text, at, key }`; `key` as a trust list has it. */
function vectorsOf(dir) {
  const found = [];
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.json')) continue;
    const { PREFIX: text, TESTCTX: context } = JSON.parse(readFileSync(join(dir, name), 'utf8'));
    if (!text || !context?.CERTIFICATE) continue;
    const der = Buffer.from(context.CERTIFICATE, 'base64');
    const { VALIDATIONCLOCK: clock } = context;
    const at = Math.floor(Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(clock) ? clock : `${clock}Z`) / 1000);
    const spki = new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' });
    const kid = createHash('sha256').update(der).digest().subarray(0, 8).toString('base64');
    const algorithm = new X509Certificate(der).publicKey.asymmetricKeyType === 'ec' ? 'ES256' : 'PS256';
    const key = { kid, country: name.slice(0, 2), algorithm, national: false, own: false, usages: [], public_key: spki.toString('base64') };
    found.push({ name, text, at, key });
  }
  return found;
}

test('the page gives the verdict on each vector of the member states that the service gives', async () => {
  const dir = corpus('dgc-testdata');
  if (!dir) return;
  const vectors = vectorsOf(dir);
  assert.ok(vectors.length >= 380, `${vectors.length}`);
  const keys = new Map(vectors.map(({ key }) => [key.kid, key]));
  const trust = { version: 1, issued_at: 0, next_update: 0, keys: [...keys.values()] };
  const file = join(root, 'target/web-tests/dgc-trust.json');
  writeFileSync(file, JSON.stringify(trust));
  const page = await withVerifier();
  const reasons = new Map();
  for (const at of new Set(vectors.map((vector) => vector.at))) {
    const asked = vectors.filter((vector) => vector.at === at && !/[\r\n]/.test(vector.text));
    const lines = run(['verify', '--json', '--trust', file, '--at', String(at), '-'], asked.map(({ text }) => `${text}\n`).join(''));
    const service = lines.trim().split('\n').map((line) => JSON.parse(line));
    const given = await verdicts(page, trust, [], asked);
    asked.forEach(({ name }, i) => {
      assert.deepEqual(said(given[i]), said(service[i]), name);
      const reason = given[i].reason ?? given[i].result;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    });
  }
  console.log('verdicts on the member states’ vectors:', Object.fromEntries([...reasons].sort()));
  assert.ok((reasons.get('accepted') ?? 0) > 40 && reasons.size >= 6, 'the vectors say yes and no in many ways');
  await page.context().close();
});
