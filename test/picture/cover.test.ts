import { describe, expect, test } from 'vitest';
import { cover } from '../../src/picture/cover.ts';
import type { RgbaImage } from '../../src/picture/grid.ts';

/** A picture whose pixels are given by their place. */
function picture(
  width: number,
  height: number,
  at: (x: number, y: number) => readonly [number, number, number, number],
): RgbaImage {
  const pixels = Array.from({ length: width * height }, (_, i) =>
    at(i % width, Math.floor(i / width)),
  );
  return { width, height, rgba: Uint8ClampedArray.from(pixels.flat()) };
}

const pixel = ({ width, rgba }: RgbaImage, x: number, y: number): number[] => [
  ...rgba.subarray(4 * (y * width + x), 4 * (y * width + x) + 4),
];

describe('a picture that covers a size', () => {
  test('of its own size stays as it is', () => {
    const image = picture(3, 2, (x, y) => [40 * x, 80 * y, 7, 255]);
    expect(cover(image, 3, 2)).toEqual(image);
  });

  test('loses the same on both of its longer sides', () => {
    const image = picture(10, 4, (x) => [20 * x, 0, 0, 255]);
    const square = cover(image, 4, 4);
    expect([square.width, square.height]).toEqual([4, 4]);
    expect([0, 1, 2, 3].map((x) => pixel(square, x, 1)[0])).toEqual([60, 80, 100, 120]);
  });

  test('becomes smaller by the mean of what each pixel covers', () => {
    const image = picture(6, 6, (x, y) => [x < 3 ? 0 : 90, y < 3 ? 30 : 60, 0, 255]);
    const small = cover(image, 2, 2);
    expect(pixel(small, 0, 0)).toEqual([0, 30, 0, 255]);
    expect(pixel(small, 1, 1)).toEqual([90, 60, 0, 255]);
    expect(pixel(cover(image, 1, 1), 0, 0)).toEqual([45, 45, 0, 255]);
    // 5 to 2: the middle column belongs to both halves.
    const odd = cover(
      picture(5, 5, (x) => [x === 2 ? 100 : 0, 0, 0, 255]),
      2,
      2,
    );
    expect(pixel(odd, 0, 0)).toEqual([20, 0, 0, 255]);
  });

  test('becomes larger, and keeps a plain colour', () => {
    const large = cover(
      picture(2, 2, () => [10, 20, 30, 255]),
      9,
      9,
    );
    expect([large.width, large.height]).toEqual([9, 9]);
    expect(pixel(large, 4, 4)).toEqual([10, 20, 30, 255]);
  });

  test('is white where it was transparent', () => {
    const image = picture(2, 1, (x) => [0, 0, 0, x === 0 ? 0 : 51]);
    expect([...cover(image, 2, 1).rgba]).toEqual([255, 255, 255, 255, 204, 204, 204, 255]);
  });
});
