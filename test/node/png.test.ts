import { decode } from 'fast-png';
import { expect, test } from 'vitest';
import { encodePng } from '../../src/node/png.ts';
import { uniform } from '../support/random.ts';

const noise = (opaque: boolean) => {
  const next = uniform(1);
  const rgba = Uint8ClampedArray.from({ length: 4 * 5 * 3 }, (_, i) =>
    opaque && i % 4 === 3 ? 255 : next() * 256,
  );
  return { width: 5, height: 3, rgba };
};

test('an opaque image keeps its colours in three channels', () => {
  const image = noise(true);
  const png = decode(encodePng(image));
  expect([png.width, png.height, png.channels, png.depth]).toEqual([5, 3, 3, 8]);
  expect([...png.data]).toEqual([...image.rgba.filter((_, i) => i % 4 !== 3)]);
});

test('an image with transparency keeps its alpha', () => {
  const image = noise(false);
  const png = decode(encodePng(image));
  expect(png.channels).toBe(4);
  expect([...png.data]).toEqual([...image.rgba]);
});

test('the same pixels give the same bytes', () => {
  expect(encodePng(noise(true))).toEqual(encodePng(noise(true)));
});

test('refuses bytes that do not fit the size', () => {
  expect(() => encodePng({ ...noise(true), width: 6 })).toThrow(
    /6x3 image expected 72 bytes, got 60/,
  );
  expect(() => encodePng({ width: 0, height: 0, rgba: new Uint8ClampedArray(0) })).toThrow();
});
