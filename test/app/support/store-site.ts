/** A page and a worker that have the store, and models to be fetched. */
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Page, Worker } from 'playwright-core';
import { ROOT } from '../../support/sources.ts';
import { type Mount, type StaticServer, serveStatic } from './static-server.ts';

const PAGE = `<!doctype html><title>test</title><script type="module" src="api.js"></script>
<script>new Worker('api.js', { type: 'module' })</script>`;

export async function serveStore(
  mounts: Readonly<Record<string, Mount>> = {},
): Promise<StaticServer> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: { api: 'test/app/support/store-api.ts' },
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

/** The worker of the page, once it has started. */
export async function openWorker(page: Page, url: string): Promise<Worker> {
  const [worker] = await Promise.all([page.waitForEvent('worker'), page.goto(url)]);
  await worker.evaluate(async () => {
    while (!('api' in globalThis)) await new Promise((resolve) => setTimeout(resolve, 10));
  });
  return worker;
}
