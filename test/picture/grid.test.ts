import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { imageGrid, type RgbaImage } from '../../src/picture/grid.ts';

/** An image whose pixels all have one red value. */
const plain = (red: number, width = 2, height = 1): RgbaImage => ({
  width,
  height,
  rgba: Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) =>
    i % 4 === 0 ? red : i % 4 === 3 ? 255 : 0,
  ),
});

const reds = ({ width, height, rgba }: RgbaImage): number[][] =>
  Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => rgba[4 * (y * width + x)]!),
  );

describe('imageGrid', () => {
  test('one image comes out as it is', () => {
    expect(imageGrid([plain(7)])).toEqual(plain(7));
  });

  test('puts images row by row, with gaps between and none around', () => {
    const sheet = imageGrid([plain(1), plain(2), plain(3)], {
      columns: 2,
      gap: 1,
      background: [9, 8, 7, 6],
    });
    expect(reds(sheet)).toEqual([
      [1, 1, 9, 2, 2],
      [9, 9, 9, 9, 9],
      [3, 3, 9, 9, 9],
    ]);
    expect([...sheet.rgba.slice(8, 12)]).toEqual([9, 8, 7, 6]);
  });

  test.each([
    [1, 2, 1],
    [2, 4, 1],
    [4, 4, 2],
    [5, 6, 2],
    [7, 8, 2],
    [8, 8, 2],
    [9, 6, 3],
    [12, 8, 3],
  ])('%i images of 2x1 without gaps fill %ix%i', (count, width, height) => {
    const sheet = imageGrid(Array(count).fill(plain(1)), { gap: 0 });
    expect([sheet.width, sheet.height]).toEqual([width, height]);
  });

  test('refuses no image, different sizes and wrong options', () => {
    expect(() => imageGrid([])).toThrow(OptionError);
    expect(() => imageGrid([plain(1), plain(1, 1, 2)])).toThrow(/image 1 expected 2x1.*got 1x2/);
    expect(() => imageGrid([plain(1)], { columns: 0 })).toThrow(/"columns" expected/);
    expect(() => imageGrid([plain(1)], { gap: -1 })).toThrow(/"gap" expected/);
  });
});
