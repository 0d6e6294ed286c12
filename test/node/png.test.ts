import { decode } from 'fast-png';
import { describe, expect, test } from 'vitest';
import { encodePng } from '../../src/node/png.ts';
import { pngChunks } from '../support/png.ts';
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

describe('text', () => {
  const named = (text: Record<string, string>, name: string) =>
    pngChunks(encodePng(noise(true), { text })).filter((chunk) => chunk.name === name);

  test('goes before the pixels, as tEXt in Latin-1 and as iTXt in UTF-8', () => {
    const text = { class: 'Caf\u00e9 au lait', seed: '7', Title: '\u68a8 \ud83c\udf50' };
    const png = encodePng(noise(true), { text });
    expect(pngChunks(png).map(({ name }) => name)).toEqual([
      ...['IHDR', 'tEXt', 'tEXt', 'iTXt', 'IDAT', 'IEND'],
    ]);
    expect(named(text, 'tEXt').map(({ data }) => data.toString('latin1'))).toEqual([
      'class\0Caf\u00e9 au lait',
      'seed\u00007',
    ]);
    expect(named(text, 'iTXt').map(({ data }) => data.toString('utf8'))).toEqual([
      `Title\0\0\0\0\0${text.Title}`,
    ]);
    const read = decode(png, { checkCrc: true });
    expect(read.text).toMatchObject({ class: text.class, seed: '7' });
    expect([...read.data]).toEqual([...decode(encodePng(noise(true))).data]);
  });

  test.each([
    ['no keyword', { '': 'x' }, /keyword of 1 to 79/],
    ['a long keyword', { ['k'.repeat(80)]: 'x' }, /keyword of 1 to 79/],
    ['a keyword with a space at its end', { 'a ': 'x' }, /got "a "/],
    ['a keyword beyond Latin-1', { '\u68a8': 'x' }, /Latin-1/],
    ['a text with an end in it', { a: 'x\0y' }, /"a" has a NUL/],
  ])('refuses %s', (_, text: Record<string, string>, message) => {
    expect(() => encodePng(noise(true), { text })).toThrow(message);
  });
});
