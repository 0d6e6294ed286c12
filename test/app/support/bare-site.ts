/** The bare page and the app's worker, bundled and served with models of tests. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../../support/sources.ts';
import { type Mount, type StaticServer, serveStatic } from './static-server.ts';

const PAGE =
  '<!doctype html><title>test</title><input id="files" type="file" multiple><script type="module" src="page.js"></script>';

/** @param mounts More to serve, models for example. `/weights/` is there. */
export async function serveBarePage(
  mounts: Readonly<Record<string, Mount>> = {},
): Promise<StaticServer> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: {
      page: 'test/app/support/bare-page.ts',
      worker: 'web/worker.ts',
      'plain-worker': 'test/app/support/plain-worker.ts',
    },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    outdir: '/',
    write: false,
  });
  const scripts = outputFiles.map(({ path, contents }) => [path.slice(1), contents]);
  return serveStatic({
    '/': { 'index.html': PAGE, ...Object.fromEntries(scripts) },
    '/weights/': join(ROOT, 'weights'),
    ...mounts,
  });
}
