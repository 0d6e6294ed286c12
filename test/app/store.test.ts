/** The store in a browser: what is fetched once stays, what was cut goes on, what broke is mended. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Worker } from 'playwright-core';
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
    worker = await openWorker(await context.newPage(), site.url);
    site.log.length = 0;
  });
  afterEach(() => context.close());

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
});
