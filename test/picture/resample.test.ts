import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { imageGrid, type RgbaImage } from '../../src/picture/grid.ts';
import { enlarger } from '../../src/picture/resample.ts';
import { uniform } from '../support/random.ts';

const imageOf = (
  width: number,
  height: number,
  pixel: (x: number, y: number) => readonly number[],
): RgbaImage => ({
  width,
  height,
  rgba: Uint8ClampedArray.from(
    Array.from({ length: width * height }, (_, i) =>
      pixel(i % width, Math.floor(i / width)),
    ).flat(),
  ),
});

const enlarge = (image: RgbaImage, scale: number): RgbaImage => imageGrid([image], { scale });

const redsOf = ({ rgba }: RgbaImage): number[] => [...rgba.filter((_, i) => i % 4 === 0)];

/** Lanczos' filter from its definition, in two dimensions at once, the edge repeated. */
function byDefinition(image: RgbaImage, width: number, height: number): number[] {
  const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  const filter = (x: number): number => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0);
  const nearest = (i: number, length: number): number => Math.min(length - 1, Math.max(0, i));
  return Array.from({ length: width * height }, (_, i) => {
    const x = (((i % width) + 0.5) * image.width) / width - 0.5;
    const y = ((Math.floor(i / width) + 0.5) * image.height) / height - 0.5;
    let [total, weights] = [0, 0];
    for (let v = -4; v < image.height + 4; v++) {
      for (let u = -4; u < image.width + 4; u++) {
        const weight = filter(x - u) * filter(y - v);
        const at = nearest(v, image.height) * image.width + nearest(u, image.width);
        total += weight * image.rgba[4 * at]!;
        weights += weight;
      }
    }
    return Math.min(255, Math.max(0, Math.round(total / weights)));
  });
}

describe('an enlarged image', () => {
  test.each([2, 1.5, 3.7])('%d times is what the filter says', (scale) => {
    const next = uniform(3);
    const noise = imageOf(9, 7, () => [next() * 256, next() * 256, next() * 256, 255]);
    const large = enlarge(noise, scale);
    expect([large.width, large.height]).toEqual([Math.round(9 * scale), Math.round(7 * scale)]);
    const expected = byDefinition(noise, large.width, large.height);
    const off = redsOf(large).map((red, i) => Math.abs(red - expected[i]!));
    // Values that lie halfway between two bytes may round either way in f32.
    expect(Math.max(...off)).toBeLessThanOrEqual(1);
    expect(off.filter((value) => value > 0).length).toBeLessThan(off.length / 50);
    expect(large.rgba.filter((_, i) => i % 4 === 3).every((alpha) => alpha === 255)).toBe(true);
  });

  test('of one colour stays of one colour, to its corners', () => {
    const large = enlarge(
      imageOf(5, 4, () => [200, 100, 3, 255]),
      2.3,
    );
    expect(new Set(redsOf(large))).toEqual(new Set([200]));
    expect([...large.rgba.slice(-4)]).toEqual([200, 100, 3, 255]);
  });

  test('keeps a ramp, and cuts off what overshoots an edge', () => {
    const ramp = redsOf(
      enlarge(
        imageOf(12, 1, (x) => [20 * x, 0, 0, 255]),
        2,
      ),
    ).slice(0, 24);
    for (let x = 6; x < 18; x++) expect(Math.abs(ramp[x]! - (10 * x - 5))).toBeLessThan(2);
    const edge = redsOf(
      enlarge(
        imageOf(12, 1, (x) => [x < 6 ? 0 : 255, 0, 0, 255]),
        2,
      ),
    );
    expect([edge[0], edge[23]]).toEqual([0, 255]);
    expect(edge[9]).toBeLessThan(edge[12]!);
  });

  test('gives no colour to what cannot be seen', () => {
    const half = imageOf(8, 8, (x) => (x < 4 ? [0, 255, 0, 0] : [250, 0, 0, 255]));
    const { rgba } = enlarge(half, 2);
    const seen = [...rgba.keys()].filter((i) => i % 4 === 0 && rgba[i + 3]! > 8);
    expect(seen.length).toBeGreaterThan(100);
    expect(Math.max(...seen.map((i) => rgba[i + 1]!))).toBe(0);
    expect(Math.min(...seen.map((i) => rgba[i]!))).toBeGreaterThan(245);
  });

  test('is not touched by its neighbours on a sheet', () => {
    const [black, white] = [0, 255].map((v) => imageOf(6, 6, () => [v, v, v, 255])) as [
      RgbaImage,
      RgbaImage,
    ];
    const sheet = imageGrid([black, white], { scale: 2, gap: 0, columns: 2 });
    expect(redsOf(sheet)).toEqual(
      Array.from({ length: 24 * 12 }, (_, i) => (i % 24 < 12 ? 0 : 255)),
    );
  });

  test('goes from 1 to 8 times', () => {
    const image = imageOf(2, 2, () => [1, 2, 3, 255]);
    expect(enlarge(image, 1)).toEqual(image);
    expect(enlarge(image, 8).width).toBe(16);
    for (const scale of [0, 0.5, 8.01, Number.NaN, -2]) {
      expect(() => enlarge(image, scale)).toThrow(OptionError);
      expect(() => enlarge(image, scale)).toThrow(/"scale" expected a number from 1 to 8/);
    }
    const { rgba } = enlarger(image, { width: 3, height: 5 })(image);
    expect(rgba.length).toBe(60);
  });
});
