// Tells the service worker which files each page is made of: what must be at hand for the page to open without a network.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';

/** Where each page is served; the same table as PAGES in src/http/pages.rs. */
const address = (page: string) => (page === 'index' ? '/' : `/${page}`);

/** The paths of all files that the file at `path` leads to: they name one another, and each name is a hash's. */
function reached(dir: string, path: string, names: string[], found: Set<string>): void {
  const text = readFileSync(join(dir, path), 'latin1');
  for (const name of names) {
    if (found.has(name) || !text.includes(name.slice(name.lastIndexOf('/') + 1))) continue;
    found.add(name);
    if (/\.(js|css|webmanifest)$/.test(name)) reached(dir, name, names, found);
  }
}

export function kept(pages: string[]): Plugin {
  let dir = '';
  return {
    name: 'kept',
    apply: 'build',
    configResolved(config) {
      dir = resolve(config.root, config.build.outDir);
    },
    closeBundle: {
      sequential: true,
      handler() {
        const worker = join(dir, 'sw.js');
        if (!existsSync(worker)) return;
        const names = ['assets', 'app'].flatMap((folder) => readdirSync(join(dir, folder)).map((name) => `${folder}/${name}`));
        const files: Record<string, string[]> = {};
        const hash = createHash('sha256');
        for (const page of pages) {
          const found = new Set<string>();
          reached(dir, `${page}.html`, names, found);
          files[address(page)] = [...found].sort().map((name) => `/${name}`);
          hash.update(readFileSync(join(dir, `${page}.html`)));
        }
        const list = JSON.stringify({ version: hash.digest('hex').slice(0, 16), files });
        // As a text in quotation marks, whichever the minifier chose.
        const script = readFileSync(worker, 'utf8').replace(/(["'`])__KEPT__\1/, () => JSON.stringify(list));
        writeFileSync(worker, script);
      },
    },
  };
}
