/** The examples for pages, as they are, in a browser. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { decode } from 'fast-png';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rmsNorm } from '../oracle/rms-norm.ts';
import { ROOT } from '../support/sources.ts';
import { chromiumOptions, hasChromium } from '../web/chromium.ts';
import { problemsOf } from './support/browser.ts';
import { type StaticServer, serveStatic } from './support/static-server.ts';

/** What composes canvases that WebGPU draws to, which stay empty otherwise. */
const CANVAS_FLAGS = ['--use-gl=angle', '--use-angle=swiftshader'];

/** What the first lines of the examples say makes what they import. */
async function bundled(entry: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    write: false,
  });
  return outputFiles[0]!.contents;
}

describe.skipIf(!hasChromium)('examples/web', () => {
  let site: StaticServer;
  let browser: Browser;
  /** Pixels of the canvas, R, G, B and A, by example. */
  const shown = new Map<string, Uint8Array>();

  beforeAll(async () => {
    const [kernels, llamagen] = await Promise.all(
      ['kernels/index.ts', 'src/web/index.ts'].map(bundled),
    );
    site = await serveStatic({
      '/': join(ROOT, 'examples/web'),
      '/kernels.js': { 'index.html': kernels! },
      '/llamagen.js': { 'index.html': llamagen! },
      '/fruits-96/': join(ROOT, 'weights/fruits-96'),
    });
    const { args = [], ...options } = await chromiumOptions();
    browser = await chromium.launch({ ...options, args: [...args, ...CANVAS_FLAGS] });
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Opens an example and waits until it says that it is done; it has nothing to complain about. */
  async function run(name: string, place: string, done: RegExp): Promise<Page> {
    const page = await browser.newPage();
    const problems = problemsOf(page);
    await page.goto(`${site.url}/${name}.html`);
    const text = async () => (await page.textContent(place)) ?? '';
    await expect.poll(text, { timeout: 60_000 }).toMatch(done);
    expect(problems).toEqual([]);
    return page;
  }

  /** What a person sees of the canvas. */
  async function look(name: string, page: Page): Promise<void> {
    const { data, channels } = decode(await page.locator('canvas').screenshot());
    expect(data).toHaveLength(96 * 96 * channels);
    const pixels = Array.from({ length: 96 * 96 }, (_, i) => [
      ...data.slice(i * channels, i * channels + 3),
      255,
    ]);
    shown.set(name, Uint8Array.from(pixels.flat()));
    await page.close();
  }

  test('kernel.html: one kernel on a device that asks for nothing', async () => {
    const page = await run('kernel', '#out', /\d \d|\d /);
    const made = (await page.textContent('#out'))!.split(' ').map(Number);
    const given = { x: [1, 2, 3, 4], gain: [1, 1, 2, 2] };
    const expected = rmsNorm({ rows: 1, dim: 4, eps: 1e-5 }, given);
    expect(made).toHaveLength(4);
    for (const [i, value] of made.entries()) expect(value).toBeCloseTo(expected[i]!, 5);
    await page.close();
  });

  test('page.html: a page in under 40 lines', async () => {
    const text = readFileSync(join(ROOT, 'examples/web/page.html'), 'utf8');
    expect(text.trimEnd().split('\n').length).toBeLessThan(40);
    await look('page', await run('page', '#status', /^Kiwi, seed 8, [0-9a-f]{16}$/));
    expect(new Set(shown.get('page')).size).toBeGreaterThan(50);
  });

  test('texture.html: the same pixels, which never left the GPU', async () => {
    await look('texture', await run('texture', '#status', /^Drawn$/));
    expect(shown.get('texture')).toEqual(shown.get('page'));
  });
});
