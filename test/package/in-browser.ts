/** The installed package in pages that Vite and esbuild have bundled: the README's snippets in Chromium. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build as esbuild } from 'esbuild';
import { decode } from 'fast-png';
import type { Browser, Page } from 'playwright-core';
import { preview, build as vite } from 'vite';
import { expectClose } from '../oracle/compare.ts';
import { rmsNorm } from '../oracle/rms-norm.ts';
import { snippet } from '../support/examples.ts';
import { normal } from '../support/random.ts';
import { launchChromium } from '../web/chromium.ts';
import { PICTURE } from './in-node.ts';

type Draw = (canvas: HTMLCanvasElement, name: string, seed: number) => Promise<void>;

/** What the page offers to this file. */
declare const app: {
  draw: Draw;
  drawBeside: Draw;
  normalise(
    device: GPUDevice,
    x: Float32Array<ArrayBuffer>,
    gain: Float32Array<ArrayBuffer>,
  ): Promise<GPUBuffer>;
};

/** Nothing but what lies beside the page, and no code made of texts. */
const PAGE = `<!doctype html>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; img-src data:" />
<link rel="icon" href="data:," />
<title>the snippets of the README</title>
<script type="module" src="/main.ts"></script>
`;

/** Files of the project, and the examples that they are. */
const SNIPPETS = {
  'browser.ts': 'browser',
  'beside.ts': 'worker/page',
  'worker.ts': 'worker/worker',
  'one-kernel.ts': 'one-kernel',
};

const MAIN = `import { draw } from './browser.ts';
import { drawBeside } from './beside.ts';
import { normalise } from './one-kernel.ts';
Object.assign(globalThis, { app: { draw, drawBeside, normalise } });
`;

/** After `nodeProblems`, with whose picture those of the pages are compared. */
export async function browserProblems(project: string): Promise<string[]> {
  await bundle(project);
  const browser = await launchChromium();
  try {
    return [
      // Vite makes a bundle of the worker too.
      ...(await pageProblems(browser, project, 'by-vite', 'drawBeside')),
      ...(await pageProblems(browser, project, 'by-esbuild', 'draw')),
    ];
  } finally {
    await browser.close();
  }
}

/** As the README says: its snippets, and the model's folder among the files that are served. */
async function bundle(project: string): Promise<void> {
  for (const [file, name] of Object.entries(SNIPPETS))
    writeFileSync(join(project, file), snippet(name));
  writeFileSync(join(project, 'main.ts'), MAIN);
  writeFileSync(join(project, 'index.html'), PAGE);
  const weights = join(project, 'node_modules/llamagen-webgpu/weights/fruits-96');
  cpSync(weights, join(project, 'public/fruits-96'), { recursive: true });
  await vite({
    ...{ root: project, configFile: false, logLevel: 'error' },
    build: { outDir: 'by-vite' },
  });
  await esbuild({
    ...{ bundle: true, minify: true, splitting: true, format: 'esm', logLevel: 'error' },
    entryPoints: [join(project, 'main.ts')],
    outdir: join(project, 'by-esbuild'),
  });
  cpSync(join(project, 'public'), join(project, 'by-esbuild'), { recursive: true });
  writeFileSync(join(project, 'by-esbuild/index.html'), PAGE.replace('main.ts', 'main.js'));
}

/** @param folder Of the page, in the project. */
async function pageProblems(
  browser: Browser,
  project: string,
  folder: string,
  how: 'draw' | 'drawBeside',
): Promise<string[]> {
  const server = await preview({
    ...{ root: project, configFile: false, logLevel: 'error', build: { outDir: folder } },
    preview: { host: '127.0.0.1', port: 0 },
  });
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && problems.push(m.text()));
  try {
    await page.goto(server.resolvedUrls?.local[0] ?? '');
    problems.push(...(await pictureProblems(page, project, how)), ...(await kernelProblems(page)));
  } catch (error) {
    problems.push(String(error));
  } finally {
    await server.close();
  }
  return problems.map((problem) => `a page ${folder}: ${problem}`);
}

/** Pixels are those that Node has written, on the same adapter. */
async function pictureProblems(
  page: Page,
  project: string,
  how: 'draw' | 'drawBeside',
): Promise<string[]> {
  const { data, width, height } = decode(readFileSync(join(project, PICTURE.file)));
  const drawn = await page.evaluate(
    async ([how, name, seed]) => {
      const canvas = document.createElement('canvas');
      await app[how](canvas, name, seed);
      const { width, height } = canvas;
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, width, height).data ?? [];
      return { width, height, pixels: Array.from(pixels).filter((_, i) => i % 4 < 3) };
    },
    [how, ...PICTURE.of] as const,
  );
  const channels = data.length / (width * height);
  const expected = Array.from(data).filter((_, i) => i % channels < 3);
  const isEqual = drawn.pixels.length > 0 && String(drawn.pixels) === String(expected);
  return drawn.width === width && isEqual ? [] : ['draws another picture than Node'];
}

/** One kernel on a device that the page opens itself. */
async function kernelProblems(page: Page): Promise<string[]> {
  const [rows, dim] = [3, 64];
  const [x, gain] = [normal(rows * dim, 1), normal(dim, 2)];
  const made = await page.evaluate(
    async ([x, gain]) => {
      const adapter = await navigator.gpu.requestAdapter();
      const device = await adapter?.requestDevice();
      if (!device) return [];
      const out = await app.normalise(device, new Float32Array(x), new Float32Array(gain));
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      const copy = device.createBuffer({ size: out.size, usage });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(out, 0, copy, 0, out.size);
      device.queue.submit([encoder.finish()]);
      await copy.mapAsync(GPUMapMode.READ);
      return Array.from(new Float32Array(copy.getMappedRange()));
    },
    [Array.from(x), Array.from(gain)] as const,
  );
  const expected = rmsNorm({ rows, dim, eps: 1e-5 }, { x, gain });
  try {
    expectClose('one kernel alone', made, expected, { nmse: 1e-12, max: 1e-5 });
    return [];
  } catch (error) {
    return [String(error)];
  }
}
