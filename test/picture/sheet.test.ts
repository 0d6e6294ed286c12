import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { imageGrid, type RgbaImage, sheetOf } from '../../src/picture/grid.ts';

const plain = (value: number, width = 3, height = 2): RgbaImage => ({
  width,
  height,
  rgba: new Uint8ClampedArray(4 * width * height).fill(value),
});

const images = (count: number): RgbaImage[] => Array.from({ length: count }, (_, i) => plain(i));

describe('a sheet', () => {
  test.each([
    { count: 1 },
    { count: 7, columns: 3 },
    { count: 10, group: 5, columns: 2 },
    { count: 5, gap: 0 },
  ])('%o: its bands in turn are the grid', (options) => {
    const all = images(options.count);
    const sheet = sheetOf({ ...options, width: 3, height: 2 });
    const bands = Array.from({ length: sheet.rows }, (_, row) =>
      sheet.strip(row, all.slice(...sheet.imagesOf(row))),
    );
    const grid = imageGrid(all, options);
    expect([sheet.width, sheet.height]).toEqual([grid.width, grid.height]);
    expect(bands.flatMap((band) => [...band])).toEqual([...grid.rgba]);
    expect(grid.rgba.length).toBe(4 * grid.width * grid.height);
  });

  test('begins every group in a new row', () => {
    const sheet = sheetOf({ count: 13, width: 3, height: 2, group: 5, columns: 3, gap: 1 });
    const bands = Array.from({ length: sheet.rows }, (_, row) => sheet.imagesOf(row));
    expect(bands).toEqual([
      [0, 3],
      [3, 5],
      [5, 8],
      [8, 10],
      [10, 13],
    ]);
    expect([sheet.columns, sheet.width, sheet.height]).toEqual([3, 11, 14]);
  });

  test('is never wider than its groups', () => {
    expect(sheetOf({ count: 8, width: 3, height: 2, group: 2, columns: 5 }).columns).toBe(2);
    expect(sheetOf({ count: 6, width: 3, height: 2, group: 100 }).rows).toBe(2);
  });

  test('refuses rows that are too large for memory', () => {
    const large = { count: 64, width: 512, height: 512, columns: 64 };
    expect(sheetOf({ ...large, scale: 2 }).width).toBe(64 * 1024 + 63 * 4);
    expect(() => sheetOf({ ...large, scale: 8 })).toThrow(OptionError);
    expect(() => sheetOf({ ...large, scale: 8 })).toThrow(
      /4\.3 GB.*fewer columns, a smaller scale/,
    );
  });

  test('refuses bands with other images than theirs', () => {
    const sheet = sheetOf({ count: 3, width: 3, height: 2, columns: 2 });
    expect(() => sheet.strip(1, images(2))).toThrow(OptionError);
    expect(() => sheet.strip(0, images(1))).toThrow(/expected the images 0 to 1, got 1/);
    expect(() => sheet.strip(1, [plain(0, 2, 2)])).toThrow(/image 2 expected 3x2 .*got 2x2/);
    for (const name of ['count', 'width', 'height', 'columns', 'group']) {
      const options = { count: 1, width: 1, height: 1, [name]: 0 };
      expect(() => sheetOf(options)).toThrow(`"${name}" expected an integer >= 1, got 0`);
    }
  });
});
