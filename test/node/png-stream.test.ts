/** A PNG that is written band by band is the one that is made at once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outputFile } from '../../src/node/output-file.ts';
import { encodePng } from '../../src/node/png.ts';
import { writePng } from '../../src/node/png-stream.ts';
import { pngChunks } from '../support/png.ts';
import { uniform } from '../support/random.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-png-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Half of it noise, which does not become smaller: its pixels fill more than one chunk. */
const WIDTH = 1211;
const HEIGHT = 523;
const next = uniform(4);
const RGBA = Uint8ClampedArray.from({ length: 4 * WIDTH * HEIGHT }, (_, i) =>
  i % 4 === 3 ? 255 : i % 8 > 4 ? next() * 256 : (i >> 6) & 255,
);

async function* inBands(rows: readonly number[]): AsyncGenerator<Uint8ClampedArray> {
  let at = 0;
  for (const height of rows) {
    yield RGBA.subarray(4 * WIDTH * at, 4 * WIDTH * (at + height));
    at += height;
  }
}

test.each([
  ['at once', [HEIGHT]],
  ['in bands', [1, 200, 2, HEIGHT - 203]],
  ['row by row', Array<number>(HEIGHT).fill(1)],
])('the bytes of encodePng, %s', async (_, rows) => {
  const text = { class: 'Orange', note: '橙' };
  const path = join(folder, 'noise.png');
  writeFileSync(path, 'before');
  const output = outputFile(path);
  await writePng(output, { width: WIDTH, height: HEIGHT, text }, inBands(rows));
  expect(readFileSync(path, 'utf8')).toBe('before');
  await output.commit();
  const bytes = readFileSync(path);
  const whole = encodePng({ width: WIDTH, height: HEIGHT, rgba: RGBA }, { text });
  expect(bytes.equals(whole)).toBe(true);
  expect(pngChunks(bytes).filter(({ name }) => name === 'IDAT').length).toBeGreaterThan(1);
  const { data, channels } = decode(bytes, { checkCrc: true });
  expect(channels).toBe(3);
  expect(Buffer.compare(Buffer.from(data), Buffer.from(RGBA.filter((_, i) => i % 4 !== 3)))).toBe(
    0,
  );
  expect(readdirSync(folder)).toEqual(['noise.png']);
});

test('what goes wrong with the bands is what is thrown, and nothing is begun', async () => {
  const path = join(folder, 'none.png');
  const output = outputFile(path);
  const reason = new Error('enough');
  const picture = { width: WIDTH, height: HEIGHT };
  async function* failing(): AsyncGenerator<Uint8ClampedArray> {
    yield* inBands([1]);
    throw reason;
  }
  await expect(writePng(output, picture, failing())).rejects.toBe(reason);
  await expect(writePng(output, picture, inBands([HEIGHT - 1]))).rejects.toThrow(
    /expected 523 rows of 1211 pixels, got 522/,
  );
  output.discard();
  expect(readdirSync(folder)).not.toContain('none.png');
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('an output that cannot be written ends the picture with its name', async () => {
  const output = outputFile(join(folder, 'missing', 'a.png'));
  const picture = { width: WIDTH, height: HEIGHT };
  await expect(writePng(output, picture, inBands([HEIGHT]))).rejects.toThrow(
    /cannot write .*a\.png: no such file or folder/,
  );
});
