/** Models that a worker loads stay in the browser: through reloads, damage, and several tabs. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultModelFolder } from '../../src/node/files.ts';
import { goldenFiles } from '../support/golden-model.ts';
import { hasChromium } from '../web/chromium.ts';
import type { BareApi } from './support/bare-page.ts';
import { serveBarePage } from './support/bare-site.ts';
import { connectBrowser } from './support/browser.ts';
import type { StaticServer } from './support/static-server.ts';

declare const api: BareApi;

/** Of several blocks of the store. */
const LARGE = 'weights/fruits-96';
const LARGE_BYTES = ['model.json', 'gpt.safetensors', 'vq.safetensors'].reduce(
  (sum, file) => sum + statSync(join(defaultModelFolder(), file)).size,
  0,
);
/** Draws soon. */
const TINY = 'tiny';
const TINY_FILES = goldenFiles('c2i_tiny');
const TINY_BYTES = Object.values(TINY_FILES).reduce((sum, { length }) => sum + length, 0);
/** Bytes of a block of the store. */
const BLOCK = 4 * 2 ** 20;

describe.skipIf(!hasChromium)('a model that was loaded', () => {
  let site: StaticServer;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    [site, browser] = await Promise.all([
      serveBarePage({ '/tiny/': TINY_FILES }),
      connectBrowser(),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async () => {
    context = await browser.newContext();
  });
  afterEach(() => context.close());

  const open = async (): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(site.url);
    await connected(page);
    return page;
  };
  /** Scripts are transferred by then. */
  const connected = (page: Page) => page.evaluate(async () => void (await api.client));
  const reload = async (page: Page): Promise<void> => {
    await page.reload();
    await connected(page);
  };
  const sentOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = site.sentBytes;
    await work();
    return site.sentBytes - before;
  };
  const load = (page: Page, url = TINY) => page.evaluate((url) => api.loadNoting({ url }), url);
  const draw = async (page: Page, seed: number) => {
    const events = await page.evaluate((asked) => api.draw(asked), { classIndex: 3, seed });
    return events.find(({ type }) => type === 'image')?.tokens;
  };

  test('is there after a reload, which fetches nothing but whether it changed', async () => {
    const page = await open();
    const loaded = await load(page);
    expect(loaded).toMatchObject({ notes: [], began: 0, view: { name: 'c2i_tiny' } });
    const store = await page.evaluate(async () => (await api.client).store());
    expect(store).toMatchObject({ kind: 'opfs', models: TINY_BYTES });
    await reload(page);
    const sent = await sentOf(async () => expect((await load(page)).began).toBeUndefined());
    expect(sent).toBeLessThan(TINY_BYTES / 100);
    const models = await page.evaluate(async () => (await api.client).models());
    expect(models).toMatchObject([{ name: expect.any(String), storedBytes: TINY_BYTES }]);
    await page.evaluate(async (id) => (await api.client).remove(id), models[0]!.id);
    expect(await page.evaluate(async () => (await api.client).models())).toEqual([]);
    expect(await draw(page, 1)).toHaveLength(16);
  });

  test('whose download was cut by a reload goes on where it was', async () => {
    const page = await open();
    site.bytesPerSecond = 2 ** 23;
    const cut = page.evaluate((url) => api.load({ url }), LARGE).catch(() => 'gone');
    const kept = () =>
      page.evaluate(async () => (await (await api.client).models())[0]?.storedBytes);
    await expect.poll(kept, { timeout: 60_000, interval: 50 }).toBeGreaterThanOrEqual(BLOCK);
    await reload(page);
    expect(await cut).toBe('gone');
    site.bytesPerSecond = undefined;
    let began: number | undefined = 0;
    const sent = await sentOf(async () => {
      ({ began } = await load(page, LARGE));
    });
    expect(began).toBeGreaterThanOrEqual(BLOCK);
    expect(sent).toBeLessThanOrEqual(LARGE_BYTES - BLOCK + 2 ** 16);
  });

  test('heals where its files were damaged, and draws the same', async () => {
    const page = await open();
    await load(page);
    const before = await draw(page, 3);
    expect(await page.evaluate(damageAll)).toBe(2);
    await reload(page);
    const { notes } = await load(page);
    expect(notes.join()).toMatch(/damaged/);
    expect(await draw(page, 3)).toEqual(before);
    await reload(page);
    expect((await load(page)).notes).toEqual([]);
  });

  test('is fetched once for two tabs that ask at once, and both draw', async () => {
    const [one, two] = await Promise.all([open(), open()]);
    const sent = await sentOf(async () => {
      const [a, b] = await Promise.all([load(one), load(two)]);
      expect(a.view.fingerprint).toEqual(b.view.fingerprint);
    });
    expect(sent).toBeLessThan(TINY_BYTES * 1.01);
    const [a, b] = await Promise.all([draw(one, 5), draw(two, 5)]);
    expect(a).toEqual(b);
  });
});

/** Changes a byte in the middle of every large file of OPFS. @returns How many. */
async function damageAll(): Promise<number> {
  const damage = async (folder: FileSystemDirectoryHandle): Promise<number> => {
    let damaged = 0;
    for await (const handle of folder.values()) {
      if (handle.kind === 'directory') damaged += await damage(handle as FileSystemDirectoryHandle);
      else damaged += await damageFile(handle as FileSystemFileHandle);
    }
    return damaged;
  };
  const damageFile = async (handle: FileSystemFileHandle): Promise<number> => {
    const file = await handle.getFile();
    if (file.size < 2 ** 16) return 0;
    const position = file.size >> 1;
    const [byte = 0] = new Uint8Array(await file.slice(position, position + 1).arrayBuffer());
    const writable = await handle.createWritable({ keepExistingData: true });
    await writable.write({ type: 'write', position, data: Uint8Array.of(byte ^ 1) });
    await writable.close();
    return 1;
  };
  return damage(await navigator.storage.getDirectory());
}
