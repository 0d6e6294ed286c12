/** A page and a worker that have the store, and models to be fetched. */
import type { Page, Worker } from 'playwright-core';
import { serveBuilt } from './built-site.ts';
import type { Mount, StaticServer } from './static-server.ts';

const SCRIPTS = { api: 'test/app/support/store-api.ts' };

const PAGE = `<!doctype html><title>test</title><script type="module" src="api.js"></script>
<script>new Worker('api.js', { type: 'module' })</script>`;

export const serveStore = (mounts?: Readonly<Record<string, Mount>>): Promise<StaticServer> =>
  serveBuilt(PAGE, SCRIPTS, mounts);

/** The worker of the page, once it has started. */
export async function openWorker(page: Page, url: string): Promise<Worker> {
  const [worker] = await Promise.all([page.waitForEvent('worker'), page.goto(url)]);
  await worker.evaluate(async () => {
    while (!('api' in globalThis)) await new Promise((resolve) => setTimeout(resolve, 10));
  });
  return worker;
}
