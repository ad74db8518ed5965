// The verifier in TypeScript as one script, to be run in the browser as the page's worker runs it.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packages, root } from './harness.mjs';

/** A script that sets `globalThis.verifier` to what `entry` exports, within `src/web`. */
export async function bundled(entry) {
  const { rolldown } = await import(pathToFileURL(packages.resolve('rolldown')));
  const bundle = await rolldown({ input: join(root, 'src/web', entry), logLevel: 'silent' });
  const options = { format: 'iife', name: 'verifier', codeSplitting: false };
  const { output } = await bundle.generate(options);
  return `${output[0].code}\nglobalThis.verifier = verifier;`;
}
