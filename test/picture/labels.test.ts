/** Text on sheets: letters, how it is shortened, and where it goes. */
import { describe, expect, test } from 'vitest';
import { imageGrid, sheetOf } from '../../src/picture/grid.ts';
import { classLabel, labelStyle, shortened } from '../../src/picture/labels.ts';
import { canWrite, drawLine, lineOf, widthOf } from '../../src/picture/letters.ts';
import { Pen } from '../../src/picture/pen.ts';

const sum = (values: Float32Array): number => values.reduce((a, b) => a + b, 0);

/** Rows of a drawn text that have ink. */
function inked(text: string, size = 32): { first: number; last: number; ink: number } {
  const { width, values } = drawLine(text, size, 200, 4);
  const rows = [...values.keys()].filter((i) => values[i]! > 0.2).map((i) => Math.floor(i / width));
  return { first: Math.min(...rows), last: Math.max(...rows), ink: sum(values) };
}

describe('the pen', () => {
  const square = (pen: Pen, left: number, top: number, side: number, turn = 1): void => {
    const [right, bottom] = [left + side, top + side];
    const corners = [
      [left, top],
      [right, top],
      [right, bottom],
      [left, bottom],
    ] as const;
    for (const [i, [x, y]] of corners.entries()) {
      const [toX, toY] = corners.at((i + turn) % 4)!;
      pen.line(x, y, toX, toY);
    }
  };

  test('covers pixels by the share that lies inside', () => {
    const pen = new Pen(4, 3);
    square(pen, 0.5, 0.25, 2);
    const expected = [
      [0.375, 0.75, 0.375, 0],
      [0.5, 1, 0.5, 0],
      [0.125, 0.25, 0.125, 0],
    ].flat();
    expect([...pen.coverage()]).toEqual(expected);
  });

  test('covers the area of a slanted shape, whichever way it turns', () => {
    for (const [y1, y2] of [
      [1.3, 8.9],
      [8.9, 1.3],
    ] as const) {
      const pen = new Pen(12, 10);
      pen.line(1.2, y1, 10.7, y1);
      pen.line(10.7, y1, 4.1, y2);
      pen.line(4.1, y2, 1.2, y1);
      expect(sum(pen.coverage())).toBeCloseTo((9.5 * 7.6) / 2, 3);
    }
  });

  test('cuts off what lies outside', () => {
    const pen = new Pen(3, 3);
    square(pen, -2, -2, 20);
    expect([...pen.coverage()]).toEqual(Array(9).fill(1));
    const beside = new Pen(3, 3);
    square(beside, 4, 0, 2);
    square(beside, 0, 5, 2);
    expect(sum(beside.coverage())).toBe(0);
  });
});

describe('letters', () => {
  test('stand on the baseline, and small ones end at the edge of a pixel', () => {
    const { baseline, height } = lineOf(32);
    expect(inked('x')).toMatchObject({ first: baseline - 17, last: baseline - 1 });
    expect(inked('p').last).toBeGreaterThan(baseline + 4);
    expect(inked('p').last).toBeLessThan(height);
    expect(inked('l').first).toBeLessThan(inked('x').first - 4);
  });

  test('have the room they are said to need', () => {
    expect(widthOf('mm', 20)).toBeCloseTo(2 * widthOf('m', 20));
    expect(widthOf('m', 40)).toBeCloseTo(2 * widthOf('m', 20));
    expect(widthOf('i', 20)).toBeLessThan(widthOf('m', 20) / 2);
  });

  test('wear accents, one character or two', () => {
    expect(inked('é').first).toBeLessThan(inked('e').first);
    expect(inked('É').first).toBeLessThan(inked('é').first);
    expect(inked('É').first).toBeGreaterThanOrEqual(0);
    expect(inked('ç').last).toBeGreaterThan(inked('c').last);
    expect(drawLine('e\u0301', 20, 40, 1)).toEqual(drawLine('é', 20, 40, 1));
    expect(widthOf('éçñü', 20)).toBe(widthOf('ecnu', 20));
    // The dot of an "i" goes where the accent comes.
    expect(inked('ī').ink).toBeLessThan(inked('i').ink + inked('¯').ink - 1);
  });

  test('are there for the languages of Europe in Latin script, and no others', () => {
    for (const name of ['crème brûlée', 'Łódź żółw', 'Straße', 'ăâîșț', 'İğdır', 'ěščřžů', 'Þór']) {
      expect(canWrite(name), name).toBe(true);
    }
    for (const name of [
      '梨',
      'груша',
      'αχλάδι',
      'تفاح',
      'नाशपाती',
      'pear 🍐',
      'a\u0007b',
      '\u202eabc',
    ]) {
      expect(canWrite(name), name).toBe(false);
    }
  });
});

test('a class that cannot be written is named by its index', () => {
  expect(classLabel(' Pear  Williams\n', 3)).toBe('Pear Williams');
  expect(classLabel('梨', 3)).toBe('class 3');
  expect(classLabel(' ', 0)).toBe('class 0');
});

test('a label that is too wide ends with an ellipsis', () => {
  expect(shortened('Lemon', 16, 100)).toBe('Lemon');
  const short = shortened('Apple Red Delicious', 16, 60);
  expect(short).toMatch(/^Apple R?e?…$/);
  expect(widthOf(short, 16)).toBeLessThanOrEqual(60);
  expect(widthOf(`Apple Red${'…'}`, 16)).toBeGreaterThan(60);
  expect(shortened('Apple Red Delicious', 16, 41)).not.toContain(' ');
  expect(shortened('Apple', 16, 2)).toBe('');
  const long = shortened('lemon '.repeat(20_000), 16, 300);
  expect(long.length).toBeGreaterThan(20);
  expect(widthOf(long, 16)).toBeLessThanOrEqual(300);
});

describe('a sheet with labels', () => {
  const plain = (value: number) => ({
    width: 60,
    height: 10,
    rgba: new Uint8ClampedArray(2400).fill(255).map((_, i) => (i % 4 === 3 ? 255 : value)),
  });
  const images = [10, 20, 30].map(plain);
  const options = { columns: 2, labels: ['Kiwi', '', 'Lemon\nseed 7'] };

  test('has room for the longest below every image, and text where there is one', () => {
    const sheet = imageGrid(images, options);
    const { height } = labelStyle(options.labels, 60, [255, 255, 255]);
    expect(height).toBe(2 * lineOf(11).height + 3);
    expect([sheet.width, sheet.height]).toEqual([126, 2 * (10 + height) + 6]);
    const darkest = (left: number, top: number): number => {
      let least = 255;
      for (let y = top; y < top + height; y++) {
        for (let x = left; x < left + 60; x++) {
          least = Math.min(least, sheet.rgba[4 * (y * sheet.width + x)]!);
        }
      }
      return least;
    };
    expect(darkest(0, 10)).toBeLessThan(60);
    expect(darkest(66, 10)).toBe(255);
    expect(darkest(0, 10 + height + 6 + 10)).toBeLessThan(60);
    expect(sheet.rgba[0]).toBe(10);
    expect(sheet.rgba[4 * (16 + height) * sheet.width]).toBe(30);
  });

  test('is the same in bands, and scaled', () => {
    const shape = { count: 3, width: 60, height: 10, scale: 2, ...options };
    const sheet = sheetOf(shape);
    const bands = [0, 1].map((row) => sheet.strip(row, images.slice(...sheet.imagesOf(row))));
    expect(bands.flatMap((band) => [...band])).toEqual([
      ...imageGrid(images, { scale: 2, ...options }).rgba,
    ]);
  });

  test('is written in white on dark, and solid on nothing', () => {
    const label = { labels: ['Kiwi'], gap: 0 };
    const dark = imageGrid(images.slice(0, 1), { ...label, background: [0, 0, 0, 255] });
    expect(Math.max(...dark.rgba.filter((_, i) => i % 4 === 0))).toBeGreaterThan(200);
    const clear = imageGrid(images.slice(0, 1), { ...label, background: [255, 255, 255, 0] });
    const below = clear.rgba.subarray(4 * 60 * 10);
    const ink = [...below.keys()].filter((i) => i % 4 === 3 && below[i]! > 0);
    expect(ink.length).toBeGreaterThan(20);
    expect(ink.every((i) => below[i - 3]! === 24)).toBe(true);
  });

  test('needs a label for each image', () => {
    expect(() => imageGrid(images, { labels: ['a'] })).toThrow(/"labels" expected 3.*got 1/);
  });
});
