/** `--from`, `--keep-rows`, `--preview` and `--batch` of `llamagen generate`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePictures, loadModel } from '../../src/index.ts';
import { openFolder } from '../../src/node/files.ts';
import { encodePng } from '../../src/node/png.ts';
import { readPng } from '../../src/node/png-pixels.ts';
import { commandLine } from '../support/command-line.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { writeTinyFolder } from '../support/tiny-model.ts';

/** Of the tiny model: 4x4 tokens, pictures of 8x8. */
const SIDE = 8;
const GRID = 4;

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-completion-'));
  writeTinyFolder(at('tiny'), { encoder: true });
  const rgba = Uint8ClampedArray.from(normal(4 * 20 * SIDE, 1, 60, 128), (v, i) =>
    i % 4 === 3 ? 255 : v,
  );
  writeFileSync(at('photo.png'), encodePng({ width: 20, height: SIDE, rgba }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const generate = (...args: readonly string[]) =>
  commandLine('generate', '--model', at('tiny'), '--class', '1', '--out', at('out.png'), ...args);

test('a picture is completed: its upper rows are kept, and seen before the rest is drawn', async () => {
  const outputs = ['--tokens-out', at('tokens.json'), '--preview', at('preview.png')];
  const { code, stderr } = await generate(
    ...['--from', at('photo.png'), '--keep-rows', '2', '--count', '3', '--batch', '2'],
    ...['--seed', '4', '--preview-every', '12', ...outputs],
  );
  expect([code, stderr]).toEqual([0, expect.any(String)]);

  const model = await loadModel(await testDevice(), openFolder(at('tiny')), { encoder: true });
  const { width, rgba } = readPng(at('photo.png'));
  // The middle of the photo.
  const square = new Uint8ClampedArray(4 * SIDE * SIDE);
  for (let y = 0; y < SIDE; y++) {
    const from = 4 * (y * width + (width - SIDE) / 2);
    square.set(rgba.subarray(from, from + 4 * SIDE), 4 * y * SIDE);
  }
  const picture = { width: SIDE, height: SIDE, rgba: square };
  const [whole] = await encodePictures(model, [picture]);
  const { images } = JSON.parse(readFileSync(at('tokens.json'), 'utf8'));
  const grids: number[][] = images.map(({ tokens }: { tokens: number[] }) => tokens);
  expect(grids).toHaveLength(3);
  for (const grid of grids) {
    expect(grid.slice(0, 2 * GRID)).toEqual([...whole!.tokens.subarray(0, 2 * GRID)]);
  }
  expect(new Set(grids.map(String)).size).toBe(3);

  const preview = decode(readFileSync(at('preview.png')));
  const alpha = [...preview.data].filter((_, i) => i % 4 === 3);
  expect(alpha.map((value) => value === 255)).toEqual(
    Array.from({ length: SIDE * SIDE }, (_, i) => i < (SIDE * SIDE * 3) / 4),
  );
  model.destroy();
});

describe('refused before anything is loaded', () => {
  test.each<[string, () => readonly string[], RegExp]>([
    ['rows of no picture', () => ['--keep-rows', '2'], /--keep-rows needs a picture: give --from/],
    ['a picture without rows', () => ['--from', at('photo.png')], /give --keep-rows too/],
    [
      'all rows',
      () => ['--from', at('photo.png'), '--keep-rows', '4'],
      /--keep-rows expected a number from 1 to 3, got 4: a grid of this model has 4 rows/,
    ],
    ['no PNG', () => ['--from', at('tiny/model.json'), '--keep-rows', '1'], /expected a PNG file/],
    ['a missing picture', () => ['--from', at('none.png'), '--keep-rows', '1'], /cannot be read/],
    [
      'a preview over the picture',
      () => ['--from', at('photo.png'), '--keep-rows', '1', '--preview', at('photo.png')],
      /--preview.*--from/,
    ],
    ['a preview over the output', () => ['--preview', at('out.png')], /--preview.*--out/],
    [
      'a preview that is called JPEG',
      () => ['--preview', at('p.jpg')],
      /--preview .*p\.jpg: pictures/,
    ],
    ['a preview on standard output', () => ['--preview', '-'], /--preview expected a file/],
    ['an interval without a file', () => ['--preview-every', '3'], /give --preview too/],
    ['a batch of none', () => ['--batch', '0'], /--batch.*from 1 to 1024/],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await generate(...args());
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)]);
  });
});
