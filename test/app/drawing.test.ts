/** A worker that draws, called by a page: the same tokens as in Node, previews, stopping, errors. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generate, loadModel } from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { goldenFiles, goldenFolder } from '../support/golden-model.ts';
import { hasChromium } from '../web/chromium.ts';
import type { BareApi, SeenEvent } from './support/bare-page.ts';
import { serveBarePage } from './support/bare-site.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
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
    const mounts = { '/tiny/': goldenFiles('c2i_tiny') };
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

  test.each([1, 4])('draws the tokens that Node does, window %i', async (window) => {
    const { device, close } = await openDevice({ adapter: 'swiftshader' });
    const model = await loadModel(device, await goldenFolder());
    const { images } = await generate(model, { classes: [3], seed: SEED, window });
    close();
    const events = await page.evaluate((asked) => api.draw(asked), {
      ...{ classIndex: 3, seed: SEED, window, previewEvery: 4 },
    });
    const image = events.find(({ type }) => type === 'image');
    expect(image?.tokens).toEqual([...images[0]!.tokens]);
    expect(image?.rgba).toEqual([...images[0]!.rgba]);
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['queued', 'started', 'tokens', 'preview', 'image', 'done']),
    );
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

  test('leaves nothing in the console but the file that is missing', () => {
    expect(problems.filter((text) => !/status of 404/.test(text))).toEqual([]);
  });
});
