/** Servers as they are, what they send in place of a model, dropped files, and what is kept of it all. */
import { gzipSync } from 'node:zlib';
import type { Browser, BrowserContext, Page, Worker } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tinyCheckpoints } from '../support/checkpoints.ts';
import { goldenFiles } from '../support/golden-model.ts';
import { lfsPointer, sendRanges, sha256 } from '../support/hub.ts';
import { tinyTextFiles } from '../support/tiny-text-model.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser } from './support/browser.ts';
import { type ModelServer, type Send, sendOpenly, serveModel } from './support/model-server.ts';
import type { StaticServer } from './support/static-server.ts';
import type { Opened, StoreApi } from './support/store-api.ts';
import { openWorker, serveStore } from './support/store-site.ts';

declare const api: StoreApi;

const TINY = goldenFiles('c2i_tiny');
const NAMES = ['model.json', 'gpt.safetensors', 'vq.safetensors'] as const;
const HASHES = Object.fromEntries(NAMES.map((name) => [name, sha256(TINY[name]!)]));

describe.skipIf(!hasChromium)('a model of a server', () => {
  let site: StaticServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let worker: Worker;
  let server: ModelServer;

  beforeAll(async () => {
    const mounts = {
      '/pts/': tinyCheckpoints(),
      '/tiny/': TINY,
      '/texts/': tinyTextFiles(),
      '/odd/': { 'cat.jpg': Uint8Array.of(255, 216, 255, 224, 0, 16, 74, 70, 73, 70), empty: '' },
    };
    [site, browser] = await Promise.all([serveStore(mounts), connectBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async () => {
    server = await serveModel(TINY);
    context = await browser.newContext();
    page = await context.newPage();
    worker = await openWorker(page, site.url);
  });
  afterEach(async () => {
    await context.close();
    await server.close();
  });

  const open = (url = server.url, read?: readonly string[]): Promise<Opened> =>
    worker.evaluate(({ url, read }) => api.open({ url }, { ...(read && { read }) }), { url, read });
  const failure = async (): Promise<string> => (await open()).error?.message ?? 'none';

  const wayless: readonly (readonly [string, Send])[] = [
    ['that hides versions and sizes from other origins', sendRanges],
    [
      'without ranges',
      (_, res, bytes, etag) =>
        res.writeHead(200, { etag, 'content-length': bytes.length }).end(bytes),
    ],
    [
      'without ranges that packs what it sends',
      (_, res, bytes) =>
        res
          .writeHead(200, {
            'content-encoding': 'gzip',
            'last-modified': new Date(0).toUTCString(),
          })
          .end(gzipSync(bytes)),
    ],
    [
      'that begins at the first byte whatever is asked',
      (_, res, bytes) =>
        res
          .writeHead(206, { 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` })
          .end(bytes),
    ],
  ];
  test.each(wayless)('%s is fetched and kept', async (_, send) => {
    server.send = send;
    expect(await open()).toMatchObject({ files: HASHES, notes: [] });
    expect(await open()).toMatchObject({ files: HASHES, notes: [], progress: [] });
    await page.evaluate(() => api.damage('flip'));
    const mended = await open();
    expect(mended.error).toBeUndefined();
    expect(mended).toMatchObject({ files: HASHES, progress: [] });
    expect(mended.notes).toHaveLength(3);
  });

  test('that has another file now is fetched again, and what did not change is not', async () => {
    await open();
    const json = new TextDecoder().decode(TINY['model.json']).replace('c2i_tiny', 'second');
    server.files = { ...TINY, 'model.json': new TextEncoder().encode(json) };
    server.log.length = 0;
    const second = await open();
    expect(second.notes).toEqual(['c2i_tiny: there is a newer version: fetching what changed']);
    expect(second.files['model.json']).toBe(sha256(server.files['model.json']!));
    expect(second.models).toMatchObject([{ name: 'second' }]);
    const bodies = server.log.filter((line) => !/bytes=0-0$/.test(line));
    expect(new Set(bodies.map((line) => line.split(' ')[1]))).toEqual(new Set(['model.json']));
    const stored = await page.evaluate(() => api.stored());
    expect(Object.keys(stored)).toHaveLength(4);
  });

  test('that is cut off goes on, with a note', async () => {
    let cuts = 1;
    server.send = (req, res, bytes, etag) => {
      if (bytes.length < 1e5 || req.headers.range === 'bytes=0-0' || cuts-- <= 0) {
        return sendOpenly(req, res, bytes, etag);
      }
      res.setHeader('access-control-expose-headers', 'etag');
      res.writeHead(200, { 'content-length': bytes.length, etag });
      res.write(bytes.subarray(0, 1000), () => setTimeout(() => res.destroy(), 100));
    };
    const opened = await open();
    expect(opened.error).toBeUndefined();
    expect(opened.notes).toEqual([
      expect.stringMatching(/: the answer broke off: .*: trying again in \d s$/),
    ]);
    expect(opened.files).toEqual(HASHES);
  });

  test('that falls silent is asked again, and goes on', async () => {
    let silences = 1;
    server.send = (req, res, bytes, etag) => {
      if (bytes.length < 1e5 || req.headers.range === 'bytes=0-0' || silences-- <= 0) {
        return sendOpenly(req, res, bytes, etag);
      }
      res.setHeader('access-control-expose-headers', 'etag');
      res.writeHead(200, { 'content-length': bytes.length, etag }).write(bytes.subarray(0, 1000));
    };
    const opened = await worker.evaluate(
      (url) => api.open({ url }, { silenceMs: 500 }),
      server.url,
    );
    expect(opened.error).toBeUndefined();
    expect(opened.notes).toEqual([
      expect.stringMatching(/^127.0.0.1:\d+: nothing came for 0.5 s: trying again in \d s$/),
    ]);
    expect(opened.files).toEqual(HASHES);
  });

  test.each([
    ['nothing', { 'model.json': undefined }, /\/m: has no model.json: a model folder holds/],
    ['no decoder', { 'gpt.safetensors': undefined }, /\/m: has no gpt.safetensors/],
    ['no JSON', { 'model.json': '{' }, /\/m\/model.json: .*JSON/],
    [
      'an LFS pointer',
      { 'vq.safetensors': lfsPointer(TINY['vq.safetensors']!) },
      /vq.safetensors: no weights: the server sent the LFS pointer in place of the file: it was cloned without "git lfs pull"/,
    ],
    [
      'a web page',
      { 'vq.safetensors': '<!DOCTYPE html><html><body>Not found' },
      /vq.safetensors: no weights: the server sent a web page in its place/,
    ],
  ])('with %s is refused with the reason, and nothing wrong is kept', async (_, other, message) => {
    const files: Record<string, Uint8Array> = { ...TINY };
    for (const [name, text] of Object.entries(other)) {
      if (text === undefined) delete files[name];
      else files[name] = new TextEncoder().encode(text);
    }
    server.files = files;
    expect(await failure()).toMatch(message);
    server.files = TINY;
    expect(await open()).toMatchObject({ files: HASHES, notes: [] });
  });

  test.each([
    [403, 'DownloadError', 'denied'],
    [404, 'WeightsError', undefined],
  ])('whose server answers %i', async (status, name, problem) => {
    server.send = (_, res) => res.writeHead(status).end();
    expect((await open()).error).toMatchObject({ name, ...(problem && { problem }) });
  });

  test('whose address is none is refused', async () => {
    const { error } = await open('https://');
    expect(error).toMatchObject({ name: 'OptionError' });
    expect(error?.message).toMatch(/^"https:\/\/" is no address: expected one such as https:/);
  });

  test('with a T5 is kept with it', async () => {
    const read = ['model.json', 't5.json', 'tokenizer.json', 't5.safetensors'];
    const { files } = await open('texts', read);
    const expected = read.map((name) => [name, sha256(tinyTextFiles()[name]!)]);
    expect(files).toEqual(Object.fromEntries(expected));
  });

  test('is counted, and forgotten when asked', async () => {
    const { models } = await open();
    await open('tiny');
    const before = await worker.evaluate(async () => (await api.store()).usage());
    const bytes = NAMES.reduce((sum, name) => sum + TINY[name]!.byteLength, 0);
    expect(before).toMatchObject({ models: 2 * bytes });
    expect(before.used).toBeGreaterThan(2 * bytes);
    expect(before.quota).toBeGreaterThan(before.used ?? 0);
    await worker.evaluate(async (id) => (await api.store()).remove(id), models[0]!.id);
    const left = await worker.evaluate(async () => (await api.store()).list());
    expect(left).toMatchObject([{ source: { url: `${site.url}/tiny` }, storedBytes: bytes }]);
    server.log.length = 0;
    expect((await open()).files).toEqual(HASHES);
    expect(server.log.length).toBeGreaterThan(3);
  });

  test('is kept elsewhere, which is said, where the browser has no OPFS', async () => {
    await page.addInitScript(() => {
      StorageManager.prototype.getDirectory = async () => {
        throw new DOMException('no such thing in private windows', 'SecurityError');
      };
    });
    await openWorker(page, site.url);
    const kept = await page.evaluate((url) => api.open({ url }), server.url);
    expect(kept).toMatchObject({ kind: 'cache', files: HASHES });
    expect(kept.note).toMatch(
      /models are kept in its cache: .*private window.*\(opfs: no such thing/,
    );
    await page.addInitScript(() => {
      CacheStorage.prototype.open = async () => {
        throw new DOMException('the operation is insecure', 'SecurityError');
      };
    });
    await openWorker(page, site.url);
    const held = await page.evaluate((url) => api.open({ url }), server.url);
    expect(held).toMatchObject({ kind: 'memory', files: HASHES });
    expect(held.note).toMatch(/models are kept in memory, and fetched again next time: /);
  });

  describe('in place of which files are dropped', () => {
    const drop = (files: Record<string, string>, read?: readonly string[]): Promise<Opened> =>
      worker.evaluate(({ files, read }) => api.drop(files, read), { files, read });

    test('as a folder', async () => {
      const files = Object.fromEntries(NAMES.map((name) => [name, `tiny/${name}`]));
      expect(await drop(files)).toMatchObject({ files: HASHES, notes: [], models: [] });
    });

    test('as checkpoints of torch.save', async () => {
      const names = Object.keys(tinyCheckpoints());
      const dropped = await drop(Object.fromEntries(names.map((name) => [name, `pts/${name}`])));
      expect(Object.keys(dropped.files)).toEqual([...NAMES]);
      expect(dropped.error).toBeUndefined();
    });

    test.each([
      ['a photo', { 'cat.jpg': 'odd/cat.jpg' }, /cat.jpg: expected a checkpoint .* it is neither/],
      ['an empty file', { 'a.pt': 'odd/empty' }, /a.pt: .*neither/],
      [
        'a decoder alone',
        { 'a.safetensors': 'tiny/gpt.safetensors' },
        /two checkpoints: give a tokenizer/,
      ],
      [
        'a model without weights',
        { 'model.json': 'tiny/model.json' },
        /gpt.safetensors is not among the given files \(model.json\)/,
      ],
    ])('that are none: %s', async (_, files, message) => {
      expect((await drop(files)).error?.message).toMatch(message);
    });
  });
});
