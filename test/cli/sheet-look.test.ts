/** Where `generate` puts the images of classes, and how they are labelled. */
import { expect, test } from 'vitest';
import { repeatEach } from '../../src/cli/arguments.ts';
import { sheetLook } from '../../src/cli/sheet-look.ts';
import { sheetOf } from '../../src/picture/grid.ts';

const imagesOf = (classes: readonly number[], count: number) =>
  repeatEach(classes, count).map((label, i) => ({
    class: label,
    className: ['Orange', 'Kiwi', '梨'][label] ?? `fruit ${label}`,
    seed: 5 + i,
  }));

const sheetFor = (classes: readonly number[], count: number) => {
  const images = imagesOf(classes, count);
  const shape = { count: images.length, width: 8, height: 8 };
  return sheetOf({ ...shape, ...sheetLook(images, { scale: 1 }, 8) });
};

const upTo = (n: number): number[] => [...Array(n).keys()];

test.each([
  { classes: [0], count: 4, columns: 4, rows: 1 },
  { classes: [0], count: 10, columns: 10, rows: 1 },
  { classes: [0, 1], count: 4, columns: 4, rows: 2 },
  { classes: [0, 1, 2], count: 5, columns: 5, rows: 3 },
  { classes: upTo(32), count: 20, columns: 20, rows: 32 },
  // The same class twice, and twice in a row.
  { classes: [0, 1, 0], count: 3, columns: 3, rows: 3 },
  { classes: [0, 0, 1], count: 3, columns: 3, rows: 3 },
  // One image of each: from square to four times as wide as high.
  { classes: [0], count: 1, columns: 1, rows: 1 },
  { classes: upTo(8), count: 1, columns: 4, rows: 2 },
  { classes: upTo(32), count: 1, columns: 8, rows: 4 },
  { classes: [0, 0, 1], count: 1, columns: 3, rows: 1 },
  { classes: upTo(32), count: 4, columns: 4, rows: 32 },
  { classes: upTo(32), count: 2, columns: 2, rows: 32 },
  // Too many for one column of classes.
  { classes: upTo(33), count: 2, columns: 10, rows: 7 },
  { classes: upTo(1000), count: 4, columns: 64, rows: 63 },
  // Too many for one row.
  { classes: [0], count: 100, columns: 10, rows: 10 },
  { classes: [0, 1], count: 100, columns: 10, rows: 20 },
  { classes: [0, 1], count: 101, columns: 17, rows: 12 },
])('$count of each of $classes.length classes', ({ classes, count, columns, rows }) => {
  const sheet = sheetFor(classes, count);
  expect([sheet.columns, sheet.rows]).toEqual([columns, rows]);
});

test('every class begins a row, however many images it has', () => {
  for (const count of [17, 40, 64, 65, 97, 1000]) {
    const sheet = sheetFor([0, 1, 2], count);
    const firsts = upTo(sheet.rows).map((row) => sheet.imagesOf(row)[0]);
    expect(firsts).toEqual(expect.arrayContaining([0, count, 2 * count]));
    expect(sheet.columns).toBeLessThanOrEqual(64);
  }
});

test('labels have the class, and the seed where there are several', () => {
  const look = { labels: true, scale: 1 };
  expect(sheetLook(imagesOf([0, 2], 1), look, 96).labels).toEqual(['Orange', 'class 2']);
  expect(sheetLook(imagesOf([1], 2), look, 96).labels).toEqual(['Kiwi\nseed 5', 'Kiwi\nseed 6']);
  expect(sheetLook(imagesOf([1], 2), { scale: 1 }, 96).labels).toBeUndefined();
  expect(sheetLook(imagesOf([1], 2), { scale: 2 }, 96).scale).toBe(2);
});

test('texts stand in lines below their images, those of one text in a row', () => {
  const prompts = ['two lemons', 'a cat to the left of a slice of pizza on a blue ground'];
  const images = repeatEach([0, 1], 2).map((i) => ({ prompt: prompts[i]!, seed: i }));
  const look = sheetLook(images, { labels: true, scale: 1 }, 96);
  expect(look.columns).toBe(2);
  const [first, , second] = look.labels ?? [];
  expect(first).toBe('two lemons\nseed 0');
  const lines = second!.split('\n')[0]!.split('\u2028');
  expect(lines.join(' ')).toBe(prompts[1]);
  expect(lines.length).toBeGreaterThan(2);
  const wide = sheetLook(images.slice(2, 3), { labels: true, scale: 4 }, 96);
  const fewer = wide.labels![0]!.split('\u2028');
  expect(fewer.join(' ')).toBe(prompts[1]);
  expect(fewer.length).toBeLessThan(lines.length);
});

test('a text that is too long ends in its last line, and letters that the font lacks are marks', () => {
  const prompt = `梨 ${'word '.repeat(40)}`;
  const [label] = sheetLook([{ prompt, seed: 1 }], { labels: true, scale: 1 }, 96).labels ?? [];
  const lines = label!.split('\u2028');
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(/^\? word/);
  expect(lines.join(' ')).toBe(`? ${'word '.repeat(40)}`.trim());
});
