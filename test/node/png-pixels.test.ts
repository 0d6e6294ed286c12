/** PNG files of every kind become the same RGBA pixels. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { encode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { readPng } from '../../src/node/png-pixels.ts';
import { pngOf } from '../support/png.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-png-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(bytes: Uint8Array): string {
  const path = join(folder, 'picture.png');
  writeFileSync(path, bytes);
  return path;
}

const pixels = (bytes: Uint8Array): number[] => [...readPng(written(bytes)).rgba];

/** Two pixels side by side in a file of a bit depth and a colour type (0 grey, 2 RGB, 3 palette, 4, 6). */
function twoPixels(
  depth: number,
  colour: number,
  line: readonly number[],
  others: readonly (readonly [string, readonly number[]])[] = [],
): Buffer {
  const header = [0, 0, 0, 2, 0, 0, 0, 1, depth, colour, 0, 0, 0];
  return pngOf([
    ['IHDR', Uint8Array.from(header)],
    ...others.map(([name, data]) => [name, Uint8Array.from(data)] as const),
    ['IDAT', deflateSync(Uint8Array.from([0, ...line]))],
    ['IEND', new Uint8Array(0)],
  ]);
}

describe('a PNG file', () => {
  test.each<[string, Buffer, number[]]>([
    ['RGBA', twoPixels(8, 6, [1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 4, 5, 6, 7, 8]],
    ['RGB', twoPixels(8, 2, [1, 2, 3, 5, 6, 7]), [1, 2, 3, 255, 5, 6, 7, 255]],
    ['grey', twoPixels(8, 0, [9, 200]), [9, 9, 9, 255, 200, 200, 200, 255]],
    ['grey with alpha', twoPixels(8, 4, [9, 50, 200, 60]), [9, 9, 9, 50, 200, 200, 200, 60]],
    ['grey of one bit', twoPixels(1, 0, [0b01000000]), [0, 0, 0, 255, 255, 255, 255, 255]],
    ['grey of four bits', twoPixels(4, 0, [0x1f]), [17, 17, 17, 255, 255, 255, 255, 255]],
    [
      'RGB of 16 bits',
      twoPixels(16, 2, [255, 255, 0, 0, 128, 128, 0, 1, 1, 1, 255, 0]),
      [255, 0, 128, 255, 0, 1, 254, 255],
    ],
    [
      'a palette of two bits, its second colour transparent',
      twoPixels(
        2,
        3,
        [0b01100000],
        [
          ['PLTE', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
          ['tRNS', [255, 77]],
        ],
      ),
      [4, 5, 6, 77, 7, 8, 9, 255],
    ],
  ])('of %s', (_, bytes, expected) => {
    expect(pixels(bytes)).toEqual(expected);
  });

  test('that is interlaced has its pixels in their places', () => {
    const data = Uint8Array.from({ length: 5 * 7 * 3 }, (_, i) => i);
    const bytes = encode({ width: 5, height: 7, data, channels: 3 }, { interlace: 'Adam7' });
    expect(pixels(bytes).filter((_, i) => i % 4 !== 3)).toEqual([...data]);
  });
});

describe('refused are', () => {
  const fine = twoPixels(8, 0, [9, 200]);

  test.each<[string, Uint8Array, RegExp]>([
    ['no PNG at all', Buffer.from('GIF89a, as it were'), /expected a PNG file; other formats/],
    ['a file that is cut off', fine.subarray(0, 40), /picture\.png: /],
    ['a wrong checksum', Buffer.from(fine).fill(7, 45, 46), /picture\.png: is damaged/],
    [
      'more pixels than memory',
      pngOf([['IHDR', Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 0])]]),
      /picture\.png: /,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => readPng(written(bytes))).toThrow(message);
    expect(() => readPng(written(bytes))).toThrow(OptionError);
  });

  test('a file that is not there', () => {
    expect(() => readPng(join(folder, 'none.png'))).toThrow(/none\.png: cannot be read/);
  });
});
