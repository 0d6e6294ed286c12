/** The same core in headless Chromium: golden cases, and the same tokens as in Node. */
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generate, generateFromPrompts, loadModel, loadTextModel } from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { defaultModelFolder, openFolder } from '../../src/node/files.ts';
import { openCase } from '../golden-runner/case.ts';
import { ROOT } from '../support/sources.ts';
import { tinyTextFiles, tinyTextFolder } from '../support/tiny-text-model.ts';
import { hasChromium, launchChromium } from './chromium.ts';
import type { PageApi } from './page.ts';
import { type FileServer, serveFiles } from './server.ts';

declare const api: PageApi;

const KIWI = 14;

/** The golden runner reads files too, in functions that the page does not call. */
const withoutNode: Plugin = {
  name: 'without-node',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {}' }));
  },
};

async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'test/web/page.ts')],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    plugins: [withoutNode],
  });
  return outputFiles[0]!.text;
}

describe.skipIf(!hasChromium)('headless Chromium', () => {
  let server: FileServer;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    server = await serveFiles(ROOT, {
      '/': '<!doctype html><title>test</title><script type="module" src="/page.js"></script>',
      '/page.js': await bundlePage(),
      ...Object.fromEntries(
        Object.entries(tinyTextFiles()).map(([file, bytes]) => [`/tiny-texts/${file}`, bytes]),
      ),
    });
    browser = await launchChromium();
    page = await browser.newPage();
    page.on('pageerror', ({ message }) => problems.push(message));
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && problems.push(m.text()));
    await page.goto(server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test('computes on an adapter', async () => {
    expect(await page.evaluate(() => api.adapter())).toMatch(/swiftshader/);
  });

  test.each(['c2i_odd_mha', 'vq_rect'])('golden case %s', async (name) => {
    const golden = await openCase(join(ROOT, 'test/golden', name));
    const atol = Object.fromEntries([...golden.expected.keys()].map((t) => [t, golden.atol(t)]));
    const checks = await page.evaluate(([n, a]) => api.golden(n, a), [name, atol] as const);
    const tensors = checks.map(({ tensor }) => tensor);
    expect(tensors).toContain(name === 'vq_rect' ? 'image' : 'gen.cfg4.tokens');
    expect(checks.filter(({ pass }) => !pass)).toEqual([]);
  });

  test('generates the tokens and pixels that Node does, one token a pass or several', async () => {
    const node = await openDevice({ adapter: 'swiftshader' });
    const model = await loadModel(node.device, openFolder(defaultModelFolder()));
    const { images } = await generate(model, { classes: [KIWI], greedy: true });
    node.close();
    for (const window of [1, 4]) {
      const asked = { k: KIWI, window };
      const made = await page.evaluate(
        ({ k, window }) => api.generate('/weights/fruits-96', k, window),
        asked,
      );
      expect(made.tokens).toEqual([...images[0]!.tokens]);
      const far = made.rgba.filter((value, i) => Math.abs(value - images[0]!.rgba[i]!) > 1);
      expect(made.rgba).toHaveLength(images[0]!.rgba.length);
      expect(far).toEqual([]);
    }
  });

  test('draws texts as Node does', async () => {
    const prompts = ['Two lemon', 'a cat on a <b>red</b> ground'];
    const files = tinyTextFolder();
    const { device, close } = await openDevice({ adapter: 'swiftshader' });
    const text = await loadTextModel(device, files);
    const model = await loadModel(device, files);
    const { images } = await generateFromPrompts(model, text, prompts, { greedy: true });
    close();
    const made = await page.evaluate((asked) => api.draw('/tiny-texts', asked), prompts);
    expect(made.map((image) => image.text)).toEqual(['two lemon', 'a cat on a red ground']);
    expect(made.map(({ tokens }) => tokens)).toEqual(images.map(({ tokens }) => [...tokens]));
    expect(made[0]!.tokens).not.toEqual(made[1]!.tokens);
  });

  test('measured tiles are kept for devices that ask for them', async () => {
    const first = await page.evaluate((m) => api.tune(m), '/weights/fruits-96');
    expect(first).toMatchObject({ measured: 5, again: first.tiles });
    // What this machine was too busy to confirm is not kept, and measured again.
    expect(first.known).toBeGreaterThanOrEqual(Object.keys(first.tiles).length);
    const second = await page.evaluate((m) => api.tune(m), '/weights/fruits-96');
    expect(second.measured).toBe(5 - first.known);
    expect(second.tiles).toMatchObject(first.tiles);
  });

  test('reads ranges and finds nothing to complain about', () => {
    const read = server.log.filter((line) => line.includes('/gpt.safetensors'));
    expect(read.length).toBeGreaterThan(1);
    expect(read.every((line) => line.includes(' bytes='))).toBe(true);
    expect(problems).toEqual([]);
  });
});
