/** What of the worker's code is in the page, and what the worker begins with. */
import { build, type Metafile } from 'esbuild';
import { expect, test } from 'vitest';
import { ROOT } from '../../support/sources.ts';

const SHARED = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  platform: 'browser',
  format: 'esm',
  outdir: '/',
} as const;

test('a page that connects has 5 KB of it', async () => {
  const contents =
    "import { connectWorker } from './src/web/worker/index.ts'; connectWorker(self);";
  const { outputFiles } = await build({ ...SHARED, stdin: { contents, resolveDir: ROOT } });
  expect(outputFiles[0]!.contents.length).toBeLessThan(5000);
});

test('a worker has 75 KB before a model is loaded', async () => {
  const { metafile } = await build({ ...SHARED, splitting: true, entryPoints: ['web/worker.ts'] });
  const entry = Object.keys(metafile.outputs).find((name) => name.endsWith('worker.js'))!;
  expect(firstLoad(metafile, entry)).toBeLessThan(75_000);
});

/** Bytes of an output and of all that it imports when it starts. */
function firstLoad({ outputs }: Metafile, entry: string): number {
  const seen = new Set<string>();
  const add = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const { kind, path } of outputs[name]!.imports) if (kind === 'import-statement') add(path);
  };
  add(entry);
  return [...seen].reduce((sum, name) => sum + outputs[name]!.bytes, 0);
}
