/** What the store keeps through updates that fail, removals, full disks and browsers that tidy up. */
import type { Browser, BrowserContext, Page, Worker } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { goldenFiles } from '../support/golden-model.ts';
import { sha256 } from '../support/hub.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser } from './support/browser.ts';
import { type ModelServer, serveModel } from './support/model-server.ts';
import type { StaticServer } from './support/static-server.ts';
import type { Opened, StoreApi } from './support/store-api.ts';
import { openWorker, serveStore } from './support/store-site.ts';

declare const api: StoreApi;

const NAMES = ['model.json', 'gpt.safetensors', 'vq.safetensors'] as const;
type Model = Readonly<Record<(typeof NAMES)[number], Uint8Array>>;

const hashesOf = (files: Model): Record<string, string> =>
  Object.fromEntries(NAMES.map((name) => [name, sha256(files[name])]));
const bytesOf = (files: Model): number =>
  NAMES.reduce((sum, name) => sum + files[name].byteLength, 0);

const FIRST = goldenFiles('c2i_tiny') as Model;

describe.skipIf(!hasChromium)('a model that is kept', () => {
  let site: StaticServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let worker: Worker;
  let server: ModelServer;

  beforeAll(async () => {
    [site, browser] = await Promise.all([serveStore(), connectBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async () => {
    server = await serveModel({ ...FIRST });
    context = await browser.newContext();
    page = await context.newPage();
    worker = await openWorker(page, site.url);
  });
  afterEach(async () => {
    await context.close();
    await server.close();
  });

  const open = (): Promise<Opened> => worker.evaluate((url) => api.open({ url }), server.url);

  test('is fetched again where the browser cannot read what it stored', async () => {
    await open();
    await worker.evaluate(() => {
      FileSystemFileHandle.prototype.getFile = async () => {
        throw new DOMException('the disk is broken', 'NotReadableError');
      };
    });
    expect((await open()).files).toEqual(hashesOf(FIRST));
  });

  test.each(['opfs', 'cache'] as const)(
    'is fetched again where all was removed from %s',
    async (kind) => {
      const openIn = () =>
        worker.evaluate(({ url, kind }) => api.open({ url }, { kind }), { url: server.url, kind });
      expect((await openIn()).kind).toBe(kind);
      await page.evaluate(async () => {
        for (const name of await caches.keys()) await caches.delete(name);
        const root = await navigator.storage.getDirectory();
        for await (const name of root.keys()) await root.removeEntry(name, { recursive: true });
      });
      const list = (kind: 'opfs' | 'cache') =>
        worker.evaluate(async (kind) => (await api.store({ kind })).list(), kind);
      expect(await list(kind)).toEqual([]);
      const again = await openIn();
      expect(again).toMatchObject({
        files: hashesOf(FIRST),
        models: [{ storedBytes: bytesOf(FIRST) }],
      });
      worker = await openWorker(page, site.url);
      expect(await openIn()).toMatchObject({ files: hashesOf(FIRST), progress: [] });
    },
  );
});
