/** The store in a browser: what is fetched once stays, what was cut goes on, what broke is mended. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page, Worker } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultModelFolder } from '../../src/node/files.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser } from './support/browser.ts';
import type { StaticServer } from './support/static-server.ts';
import type { StoreApi } from './support/store-api.ts';
import { openWorker, serveStore } from './support/store-site.ts';

declare const api: StoreApi;

const FILES = ['model.json', 'gpt.safetensors', 'vq.safetensors'];
const CONTENT = Object.fromEntries(
  FILES.map((name) => [name, readFileSync(join(defaultModelFolder(), name))]),
);
const HASHES = Object.fromEntries(
  Object.entries(CONTENT).map(([name, bytes]) => [
    name,
    createHash('sha256').update(bytes).digest('hex'),
  ]),
);
const BYTES = Object.values(CONTENT).reduce((sum, { length }) => sum + length, 0);

describe.skipIf(!hasChromium)('the store in a worker', () => {
  let site: StaticServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let worker: Worker;
  let url: string;

  beforeAll(async () => {
    [site, browser] = await Promise.all([serveStore(), connectBrowser()]);
    url = `${site.url}/weights/fruits-96`;
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
    worker = await openWorker(page, site.url);
    site.log.length = 0;
    site.bytesPerSecond = undefined;
  });
  afterEach(() => context.close());

  /** Bytes in the files of OPFS. */
  const stored = async (): Promise<number> => {
    const files = await page.evaluate(() => api.stored());
    return Object.values(files).reduce((sum, bytes) => sum + bytes, 0);
  };
  const storedBeyond = (bytes: number): Promise<void> =>
    expect.poll(stored, { interval: 20, timeout: 60_000 }).toBeGreaterThan(bytes);
  const progressOf = async (from: string) =>
    (await worker.evaluate((asked) => api.open({ url: asked }), from)).progress;
  const bodies = (): string[] => site.log.filter((line) => !/bytes=0-0$/.test(line));

  test('fetches a model once', async () => {
    const first = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(first).toMatchObject({ kind: 'opfs', notes: [], files: HASHES });
    expect(first.progress.at(-1)).toMatchObject({ done: BYTES, total: BYTES, resumed: 0 });
    expect(first.models).toMatchObject([{ source: { url }, bytes: BYTES, storedBytes: BYTES }]);
    site.log.length = 0;
    const second = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(second).toMatchObject({ notes: [], files: HASHES, progress: [] });
    expect(bodies()).toEqual(['GET /weights/fruits-96/model.json']);
  });

  test.each(['opfs', 'cache', 'memory'] as const)('works in a page too, in %s', async (kind) => {
    for (const again of [false, true]) {
      site.log.length = 0;
      const asked = { from: url, kind };
      const opened = await page.evaluate(
        ({ from, kind }) => api.open({ url: from }, { kind }),
        asked,
      );
      expect(opened).toMatchObject({ kind, files: HASHES });
      expect(opened.progress.at(-1)?.done).toBe(again ? undefined : BYTES);
      expect(bodies()).toHaveLength(again ? 1 : 4);
    }
    const { models } = await page.evaluate((kind) => api.open({ url: 'none' }, { kind }), kind);
    expect(models).toMatchObject([{ storedBytes: BYTES }]);
  });

  test('goes on where it was stopped, and after a reload', async () => {
    const before = site.sentBytes;
    site.bytesPerSecond = 20_000_000;
    const asked = { from: url, stopAt: 6_000_000 };
    const stopped = await worker.evaluate(
      ({ from, stopAt }) => api.open({ url: from }, { stopAt }),
      asked,
    );
    expect(stopped.error).toEqual({ name: 'Error', message: 'stop' });
    const cut = worker.evaluate((from) => api.open({ url: from }), url).catch(() => 'cut');
    await storedBeyond(8_000_000);
    worker = await openWorker(page, site.url);
    expect(await cut).toBe('cut');
    site.bytesPerSecond = undefined;
    const { resumed } = (await progressOf(url))[0]!;
    expect(resumed).toBeGreaterThan(8_000_000);
    const whole = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(whole).toMatchObject({ files: HASHES, notes: [] });
    // Two blocks were cut at most, and what was on its way is lost.
    expect(site.sentBytes - before).toBeLessThan(BYTES + 4 * 4 * 2 ** 20);
  });

  test.each(['flip', 'cut', 'remove'] as const)('mends what was damaged: %s', async (how) => {
    await worker.evaluate((from) => api.open({ url: from }), url);
    const damaged = await worker.evaluate((way) => api.damage(way), how);
    expect(damaged).toBe(6);
    const mended = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(mended).toMatchObject({ files: HASHES });
    if (how === 'remove') expect(mended.progress.length).toBeGreaterThan(0);
    else {
      expect(mended.notes).toHaveLength(damaged);
      expect(mended.notes[0]).toMatch(/model.json: what was stored is damaged: fetched \d+ bytes/);
    }
    const again = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(again).toMatchObject({ files: HASHES, notes: [], progress: [] });
  });

  test('needs no network for what is stored, and says when it would', async () => {
    const estimate = (from: string) =>
      worker.evaluate(async (asked) => (await api.store()).estimate({ url: asked }), from);
    const before = await estimate(url);
    expect(before).toMatchObject({ name: 'fruits-96', bytes: BYTES, storedBytes: 0, pixels: 96 });
    await worker.evaluate((from) => api.open({ url: from }), url);
    await context.setOffline(true);
    expect(await estimate(url)).toEqual({ ...before, storedBytes: BYTES });
    const offline = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(offline.files).toEqual(HASHES);
    expect(offline.notes).toEqual([
      expect.stringMatching(/^using fruits-96 as it is stored: .*there is no network$/),
    ]);
    await worker.evaluate(() => api.damage('flip'));
    const { error } = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(error).toMatchObject({ name: 'WeightsError' });
    expect(error?.message).toMatch(
      /model.json: what is stored of it is damaged.*there is no network/,
    );
    const other = await worker.evaluate(() => api.open({ url: 'weights/other' }));
    expect(other.error).toMatchObject({ name: 'DownloadError', problem: 'offline' });
  });

  test('in two tabs fetches once: the second waits and tells how far the first is', async () => {
    site.bytesPerSecond = 20_000_000;
    const before = site.sentBytes;
    const tab = await openWorker(await context.newPage(), site.url);
    const first = worker.evaluate((from) => api.open({ url: from }), url);
    await storedBeyond(1);
    const stopped = await tab.evaluate((from) => api.open({ url: from }, { stopAt: 1 }), url);
    expect(stopped.error).toEqual({ name: 'Error', message: 'stop' });
    const second = await tab.evaluate((from) => api.open({ url: from }), url);
    site.bytesPerSecond = undefined;
    expect((await first).files).toEqual(HASHES);
    expect(second).toMatchObject({
      files: HASHES,
      notes: [`another tab fetches ${url}: waiting for it`],
    });
    expect(second.progress.some(({ done }) => done > 0 && done < BYTES)).toBe(true);
    expect(site.sentBytes - before).toBeLessThan(1.3 * BYTES);
  });

  test('a tab that is closed in mid-download gives way to the one that waits', async () => {
    site.bytesPerSecond = 20_000_000;
    const other = await context.newPage();
    const tab = await openWorker(other, site.url);
    tab.evaluate((from) => api.open({ url: from }), url).catch(() => {});
    await storedBeyond(6_000_000);
    const waiting = worker.evaluate((from) => api.open({ url: from }), url);
    await other.close();
    site.bytesPerSecond = undefined;
    const opened = await waiting;
    expect(opened.files).toEqual(HASHES);
    expect(opened.progress.find(({ resumed }) => resumed > 0)?.resumed).toBeGreaterThan(6_000_000);
  });

  test.each([
    ['before', 70],
    ['while it is fetched', 200],
  ])('without room, known %s, is kept in memory and says so', async (_, megabytes) => {
    const cdp = await context.newCDPSession(page);
    const setQuota = (quotaSize: number) =>
      cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize });
    await setQuota(megabytes * 1e6);
    site.bytesPerSecond = 20_000_000;
    const opening = worker.evaluate((from) => api.open({ url: from }), url);
    if (megabytes > 100) await storedBeyond(6_000_000);
    await setQuota(1e6);
    const opened = await opening;
    site.bytesPerSecond = undefined;
    expect(opened.files).toEqual(HASHES);
    expect(opened.notes).toEqual([
      expect.stringMatching(
        /is kept in memory, and fetched again next time: this page uses \d+ MB/,
      ),
    ]);
    expect(await stored()).toBeLessThan(1e6);
    site.log.length = 0;
    const again = await worker.evaluate((from) => api.open({ url: from }), url);
    expect(again).toMatchObject({ files: HASHES, progress: [] });
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url });
  });
});
