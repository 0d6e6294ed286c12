/** A worker that draws, called by a page: the same tokens as in Node, previews, stopping, errors. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGiven } from '../../src/convert/given.ts';
import {
  type GeneratedImage,
  type GenerateOptions,
  generate,
  loadModel,
  type ModelFiles,
  memorySource,
} from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { goldenFiles, goldenFolder } from '../support/golden-model.ts';
import { hasChromium } from '../web/chromium.ts';
import type { BareApi, SeenEvent } from './support/bare-page.ts';
import { serveBarePage } from './support/bare-site.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { droppedCheckpoints } from './support/dropped-checkpoints.ts';
import type { StaticServer } from './support/static-server.ts';

declare const api: BareApi;

const TOKENS = 16;
const SEED = 7;

describe.skipIf(!hasChromium)('a worker', () => {
  let site: StaticServer;
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    const mounts = { '/tiny/': goldenFiles('c2i_tiny'), '/huge/': hugeFiles() };
    [site, browser] = await Promise.all([serveBarePage(mounts), connectBrowser()]);
    page = await browser.newPage();
    problems = problemsOf(page);
    await page.goto(site.url);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('says what it computes on', async () => {
    const adapter = await page.evaluate(async () => (await api.client).adapter());
    expect(adapter).toMatchObject({ software: true, notes: [] });
    expect(adapter.description).toMatch(/swiftshader/i);
  });

  test('has nothing to draw with before a model is loaded', async () => {
    const failure = await page.evaluate(() => api.failure(() => api.draw({ classIndex: 1 })));
    expect(failure).toEqual({
      name: 'OptionError',
      message: 'there is no model yet: load one',
    });
  });

  test('loads a model from an address relative to the page', async () => {
    const view = await page.evaluate(() => api.load({ url: 'tiny' }));
    expect(view).toMatchObject({ name: 'c2i_tiny', modelType: 'c2i', gridSize: 4, imageSize: 8 });
    expect(view.classNames).toHaveLength(10);
    expect(view.fingerprint.digest).toMatch(/^[0-9a-f]{16}$/);
  });

  test('draws the pixels that Node does, one token a pass or several, also by default limits', async () => {
    const asked = { classes: [3], seed: SEED };
    const expected = await drawInNode(await goldenFolder(), asked);
    const plain = await browser.newPage();
    await plain.goto(`${site.url}/?plain-worker`);
    const adapter = await plain.evaluate(async () => (await api.client).adapter());
    expect(adapter).toMatchObject({ maxStorageBufferBindingSize: 2 ** 27, notes: [] });
    await plain.evaluate(() => api.load({ url: 'tiny' }));
    for (const [on, window] of [
      [page, 1],
      [page, 4],
      [plain, 'auto'],
    ] as const) {
      const request = { classIndex: 3, seed: SEED, window, previewEvery: 4 };
      const events = await on.evaluate((request) => api.draw(request), request);
      const image = events.find(({ type }) => type === 'image');
      expect(image?.tokens).toEqual([...expected.tokens]);
      expect(image?.rgba).toEqual([...expected.rgba]);
      expect(events.map(({ type }) => type)).toEqual(
        expect.arrayContaining(['queued', 'started', 'tokens', 'preview', 'image', 'done']),
      );
    }
    await plain.close();
  });

  test('tells of pictures on their way, what is not drawn transparent', async () => {
    const events = await page.evaluate(
      (seed) => api.draw({ classIndex: 2, seed, previewEvery: 4 }),
      SEED,
    );
    const alpha = ({ rgba = [] }: SeenEvent): number =>
      rgba.filter((value, i) => i % 4 === 3 && value === 255).length / (rgba.length / 4);
    const previews = events.filter(({ type }) => type === 'preview');
    expect(previews.length).toBeGreaterThan(0);
    for (const preview of previews) expect(alpha(preview)).toBe(preview.done! / TOKENS);
  });

  test('stops, and draws on', async () => {
    const failure = await page.evaluate(() =>
      api.failure(() => api.draw({ classIndex: 2 }, 'started')),
    );
    expect(failure).toEqual({ name: 'Error', message: 'stopped by the test' });
    const events = await page.evaluate(() => api.draw({ classIndex: 2 }));
    expect(events.at(-1)?.type).toBe('done');
  });

  test('draws the same picture when its device is destroyed meanwhile', async () => {
    const request = { classIndex: 5, seed: SEED, previewEvery: 4 };
    const undisturbed = await page.evaluate((asked) => api.draw(asked), request);
    const events = await page.evaluate((asked) => api.drawAndLose(asked), request);
    const imageOf = (all: SeenEvent[]) => all.find(({ type }) => type === 'image');
    expect(events.map(({ type }) => type)).toContain('resumed');
    expect(imageOf(events)?.tokens).toEqual(imageOf(undisturbed)?.tokens);
    expect(imageOf(events)?.rgba).toEqual(imageOf(undisturbed)?.rgba);
  });

  test('refuses as the engine does', async () => {
    const failure = await page.evaluate(() => api.failure(() => api.draw({ classIndex: 99 })));
    expect(failure?.name).toBe('OptionError');
    expect(failure?.message).toMatch(/"classIndex" expected an integer from 0 to 10, got 99/);
  });

  test('says which file of a model is missing, and keeps the model that it has', async () => {
    const failure = await page.evaluate(() => api.failure(() => api.load({ url: 'nowhere' })));
    expect(failure?.name).toBe('WeightsError');
    expect(failure?.message).toMatch(/nowhere: has no model\.json/);
    const events = await page.evaluate(() => api.draw({ classIndex: 2 }));
    expect(events.at(-1)?.type).toBe('done');
  });

  test('draws with official checkpoints that were dropped, as Node does', async () => {
    const checkpoints = droppedCheckpoints();
    const sources = Object.entries(checkpoints).map(
      ([name, bytes]) => [name, memorySource(name, bytes)] as const,
    );
    const expected = await drawInNode(await openGiven(new Map(sources)), {
      classes: [1],
      seed: SEED,
    });
    await page.setInputFiles(
      '#files',
      Object.entries(checkpoints).map(([name, bytes]) => ({
        ...{ name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) },
      })),
    );
    const estimate = await page.evaluate(() => api.estimateFiles());
    expect(estimate).toMatchObject({ name: 'ddp_model', modelType: 'c2i', pixels: 8 });
    expect(estimate.problem).toBeUndefined();
    expect(await page.evaluate(() => api.loadFiles())).toMatchObject({ name: 'ddp_model' });
    const events = await page.evaluate((seed) => api.draw({ classIndex: 1, seed }), SEED);
    expect(events.find(({ type }) => type === 'image')?.tokens).toEqual([...expected.tokens]);
  });

  test('says before a download why a device cannot hold a model', async () => {
    const { problem, ...estimate } = await page.evaluate(async () =>
      (await api.client).estimate({ url: 'huge' }),
    );
    expect(estimate).toMatchObject({ pixels: 320 });
    expect(problem).toMatch(/takes 2621\.4 MB, and max\w+ of this adapter is \d+\.\d MB$/);
    const read = site.log.filter((line) => line.includes('/huge/gpt.safetensors'));
    expect(read.length).toBeGreaterThan(0);
    // The header, of half a megabyte.
    for (const line of read) expect(line).toMatch(/ bytes=0-(0|65535)$/);
  });

  test('says why a file is no checkpoint', async () => {
    await page.setInputFiles('#files', {
      ...{ name: 'notes.pt', mimeType: 'text/plain', buffer: Buffer.from('dear diary') },
    });
    const failure = await page.evaluate(() => api.failure(() => api.loadFiles()));
    expect(failure?.name).toBe('WeightsError');
    expect(failure?.message).toMatch(/notes\.pt/);
  });

  test('says why there is no WebGPU: a page that is not secure', async () => {
    const insecure = await browser.newPage();
    await insecure.route('http://insecure.test/**', async (route) => {
      const { pathname } = new URL(route.request().url());
      const response = await fetch(site.url + pathname);
      await route.fulfill({
        headers: { 'Content-Type': response.headers.get('content-type') ?? '' },
        body: Buffer.from(await response.arrayBuffer()),
      });
    });
    await insecure.goto('http://insecure.test/');
    const failure = await insecure.evaluate(() =>
      api.failure(async () => (await api.client).adapter()),
    );
    expect(failure).toMatchObject({ name: 'DeviceError', problem: 'no-adapter' });
    expect(failure?.message).toMatch(/secure pages only, so open this one over https/);
    await insecure.close();
  });

  test('whose script is missing says so', async () => {
    const other = await browser.newPage();
    await other.goto(`${site.url}/?nothing`);
    const failure = await other.evaluate(() => api.failure(() => api.client));
    expect(failure?.message).toMatch(/the worker cannot be started: its script is missing/);
    await other.close();
  });

  test('leaves nothing in the console but the file that is missing', () => {
    expect(problems.filter((text) => !/status of 404/.test(text))).toEqual([]);
  });
});

/** One image on the adapter that the browser has. */
async function drawInNode(files: ModelFiles, options: GenerateOptions): Promise<GeneratedImage> {
  const { device, close } = await openDevice({ adapter: 'swiftshader' });
  const { images } = await generate(await loadModel(device, files), options);
  close();
  return images[0]!;
}

/** A model of pictures that are too large for any device here. */
function hugeFiles(): Record<string, Uint8Array> {
  const files = goldenFiles('c2i_tiny');
  const json = JSON.parse(new TextDecoder().decode(files['model.json']));
  const gpt = { ...json.gpt, block_size: 160 ** 2 };
  return { ...files, 'model.json': new TextEncoder().encode(JSON.stringify({ ...json, gpt })) };
}
