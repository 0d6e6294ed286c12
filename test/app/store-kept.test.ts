/** What the store keeps through updates that fail, removals, full disks and browsers that tidy up. */
import type { Browser, BrowserContext, Page, Worker } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { goldenFiles } from '../support/golden-model.ts';
import { sha256 } from '../support/hub.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser } from './support/browser.ts';
import { type ModelServer, type Send, sendOpenly, serveModel } from './support/model-server.ts';
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
/** Another name, and another last weight of the decoder. */
const SECOND: Model = {
  ...FIRST,
  'model.json': new TextEncoder().encode(
    new TextDecoder().decode(FIRST['model.json']).replace('c2i_tiny', 'second'),
  ),
  'gpt.safetensors': FIRST['gpt.safetensors'].map((byte, i, { length }) =>
    i === length - 4 ? byte ^ 1 : byte,
  ),
};

/** Tells which decoder there is, and sends none. */
const refuse: Send = (req, res, bytes, etag) =>
  req.headers.range !== 'bytes=0-0' && req.url?.endsWith('gpt.safetensors')
    ? res.writeHead(403).end()
    : sendOpenly(req, res, bytes, etag);

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

  const open = (options: { readonly stopAt?: number } = {}): Promise<Opened> =>
    worker.evaluate(({ url, options }) => api.open({ url }, options), { url: server.url, options });
  /** Paths in OPFS. */
  const stored = async (): Promise<string[]> =>
    Object.keys(await page.evaluate(() => api.stored()));
  const removeAll = () =>
    worker.evaluate(async () => {
      const store = await api.store();
      for (const { id } of await store.list()) await store.remove(id);
    });

  describe('while a newer version', () => {
    const stopped = async (): Promise<void> => {
      expect((await open()).files).toEqual(hashesOf(FIRST));
      server.files = { ...SECOND };
      // All of the tokenizer is here.
      const { error, models } = await open({ stopAt: 1 });
      expect(error).toEqual({ name: 'Error', message: 'stop' });
      expect(models).toMatchObject([{ name: 'c2i_tiny', bytes: bytesOf(FIRST) }]);
      expect(models[0]?.storedBytes).toBeGreaterThanOrEqual(bytesOf(FIRST));
    };

    test('was stopped is used without a network, and gives way when all of that is here', async () => {
      await stopped();
      await context.setOffline(true);
      const offline = await open();
      expect(offline).toMatchObject({ files: hashesOf(FIRST), progress: [] });
      expect(offline.notes).toEqual([
        expect.stringMatching(/^using c2i_tiny as it is stored: .*there is no network$/),
      ]);
      const estimate = await worker.evaluate(
        async (url) => (await api.store()).estimate({ url }),
        server.url,
      );
      expect(estimate).toMatchObject({ name: 'c2i_tiny', bytes: bytesOf(FIRST) });
      await context.setOffline(false);
      expect(await open()).toMatchObject({
        files: hashesOf(SECOND),
        models: [{ name: 'second', bytes: bytesOf(SECOND), storedBytes: bytesOf(SECOND) }],
      });
      expect(await stored()).toHaveLength(4);
    });

    test('was taken back is used as before, and nothing of that is left', async () => {
      await stopped();
      server.send = refuse;
      expect((await open()).files).toEqual(hashesOf(FIRST));
      expect((await stored()).length).toBeGreaterThan(4);
      server.files = { ...FIRST };
      expect(await open()).toMatchObject({ files: hashesOf(FIRST), notes: [], progress: [] });
      expect(await stored()).toHaveLength(4);
    });

    test('is no model is used, with the reason, and nothing of that is kept', async () => {
      await open();
      server.files = { ...SECOND, 'gpt.safetensors': new TextEncoder().encode('some other bytes') };
      const refused = await open();
      expect(refused).toMatchObject({ files: hashesOf(FIRST) });
      expect(refused.notes.at(-1)).toMatch(/^using c2i_tiny as it is stored: .*gpt.safetensors/);
      expect(await stored()).toHaveLength(4);
      await context.setOffline(true);
      expect(await open()).toMatchObject({ files: hashesOf(FIRST) });
    });

    test('is refused is used, with the reason', async () => {
      await open();
      server.files = { ...SECOND };
      server.send = refuse;
      const refused = await open();
      expect(refused).toMatchObject({ files: hashesOf(FIRST) });
      expect(refused.notes).toEqual([
        'c2i_tiny: there is a newer version: fetching what changed',
        expect.stringMatching(/^using c2i_tiny as it is stored: .*gpt.safetensors: .*403/),
      ]);
    });
  });

  test('in part stays so where a network sends its own page in place of the rest', async () => {
    server.files = { ...FIRST, 'gpt.safetensors': new Uint8Array(9e6) };
    expect((await open({ stopAt: 7e6 })).error?.message).toBe('stop');
    const before = await page.evaluate(() => api.stored());
    expect(Math.max(...Object.values(before))).toBeGreaterThan(4e6);
    server.send = (req, res, bytes, etag) =>
      req.headers.range !== 'bytes=0-0' && req.url?.endsWith('gpt.safetensors')
        ? res.writeHead(200, { 'content-type': 'text/html' }).end('Welcome to our hotel')
        : sendOpenly(req, res, bytes, etag);
    expect((await open()).error?.message).toMatch(/the server sent a web page in its place/);
    expect(await page.evaluate(() => api.stored())).toEqual(before);
  });

  test('and removed while it is open can be read on, and takes no room again', async () => {
    const read = await worker.evaluate(async (url) => {
      const store = await api.store();
      const notes: (string | boolean | undefined)[] = [];
      const model = await store.open({ url }, { onNote: (...note) => notes.push(...note) });
      for (const { id } of await store.list()) await store.remove(id);
      const source = await model.open('gpt.safetensors');
      const bytes = await source.read(0, source.byteLength);
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return { notes, digest: [...digest], usage: (await store.usage()).models };
    }, server.url);
    expect(Buffer.from(read.digest).toString('hex')).toBe(hashesOf(FIRST)['gpt.safetensors']);
    expect(read.usage).toBe(0);
    expect(read.notes).toContainEqual(
      expect.stringMatching(/^gpt.safetensors: it is not stored any/),
    );
    expect(await stored()).toEqual([]);
  });

  test('leaves nothing that no record names: the next visit removes it, but what is in use', async () => {
    const { models } = await open();
    const id = models[0]!.id;
    const kept = await stored();
    await page.evaluate(async (id) => {
      const root = await navigator.storage.getDirectory();
      const store = await root.getDirectoryHandle('llamagen-webgpu');
      const model = await store.getDirectoryHandle(id);
      for (const [within, name] of [
        [store, 'left'],
        [store, 'busy'],
        [model, 'before'],
      ] as const) {
        const folder = await within.getDirectoryHandle(name, { create: true });
        const file = await folder.getFileHandle('record', { create: true });
        const stream = await file.createWritable();
        await stream.write('torn');
        await stream.close();
      }
    }, id);
    const other = await context.newPage();
    await openWorker(other, site.url);
    await other.evaluate(
      () =>
        new Promise<void>((held) => {
          navigator.locks.request('llamagen-webgpu/busy', () => new Promise(() => held()));
        }),
    );
    for (const left of [['llamagen-webgpu/busy/record'], []]) {
      worker = await openWorker(page, site.url);
      expect(await open()).toMatchObject({ files: hashesOf(FIRST), progress: [] });
      expect((await stored()).sort()).toEqual([...kept, ...left].sort());
      await other.close();
      // It is let go by then.
      await page.evaluate(() => navigator.locks.request('llamagen-webgpu/busy', () => {}));
    }
  });

  test('in memory for want of room is listed, removed, and stored when there is room', async () => {
    const cdp = await context.newCDPSession(page);
    const setQuota = (quotaSize?: number) =>
      cdp.send('Storage.overrideQuotaForOrigin', {
        origin: site.url,
        ...(quotaSize && { quotaSize }),
      });
    await setQuota(1e6);
    for (const _ of [1, 2]) {
      const spilled = await open();
      expect(spilled.notes).toEqual([expect.stringMatching(/is kept in memory/)]);
      expect(spilled).toMatchObject({ models: [{ storedBytes: bytesOf(FIRST) }] });
      expect(spilled.progress).not.toEqual([]);
      expect(await stored()).toEqual([]);
      await removeAll();
      expect((await worker.evaluate(async () => (await api.store()).list())).length).toBe(0);
    }
    await open();
    expect(await open()).toMatchObject({ files: hashesOf(FIRST), progress: [], notes: [] });
    expect(await stored()).toEqual([]);
    await setQuota();
    expect(await open()).toMatchObject({ files: hashesOf(FIRST), progress: [], notes: [] });
    expect(await stored()).toHaveLength(4);
    worker = await openWorker(page, site.url);
    expect(await open()).toMatchObject({ files: hashesOf(FIRST), progress: [], notes: [] });
  });

  test('is used and can be removed where there is no room for one byte more', async () => {
    await open();
    const cdp = await context.newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize: 1 });
    worker = await openWorker(page, site.url);
    const full = await open();
    expect(full).toMatchObject({ kind: 'opfs', files: hashesOf(FIRST), progress: [], notes: [] });
    expect(full.note).toBeUndefined();
    await removeAll();
    expect(await stored()).toEqual([]);
  });

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
