import { describe, expect, test } from 'vitest';
import { type BuiltRows, bestWindow, passMs } from '../../src/engine/best-window.ts';
import { tokensAPass } from '../../src/engine/window-rates.ts';

test('tokens a pass grow with the window, less and less', () => {
  const rates = [1, 2, 3, 4, 6, 8, 12, 16, 32, 64].map(tokensAPass);
  expect(rates[0]).toBe(1);
  expect(rates).toEqual(rates.toSorted((a, b) => a - b));
  expect(tokensAPass(8)).toBe(2.5);
  expect(tokensAPass(3)).toBeGreaterThan(tokensAPass(2));
  expect(tokensAPass(3)).toBeLessThan(tokensAPass(4));
});

describe('the window that pays', () => {
  const counts = [1, 2, 4, 8, 16, 32, 64];
  const ofGuided = (images: number) => (window: number) => images * 2 * window;
  const choose = (built: readonly BuiltRows[], { images = 1, dim = 768 } = {}): number =>
    bestWindow({ config: { dim }, counts, built, rowsOf: ofGuided(images) });
  const ran = (rows: number, msPerPass: number, passes = 100): BuiltRows => ({
    ...{ rows, passes, msPerPass },
  });
  const all = (ms: (rows: number) => number): BuiltRows[] => counts.map((n) => ran(n, ms(n)));

  test.each([
    ['rows are free', () => 1, 32],
    ['rows cost in full', (rows: number) => rows, 1],
    ['14 more rows double it', (rows: number) => 1 + (rows - 2) / 14, 4],
    ['it jumps at 8 rows', (rows: number) => (rows > 4 ? 9 : 1), 2],
  ])('by measured times: %s', (_, ms, window) => {
    expect(choose(all(ms))).toBe(window);
  });

  test('where nothing is built or measured is that of an H200', () => {
    expect(choose([])).toBe(8);
    expect(choose([], { dim: 1280 })).toBe(8);
    expect(choose([], { dim: 3200 })).toBe(2);
    expect(choose([{ rows: 16, passes: 0, msPerPass: undefined }])).toBe(8);
  });

  test('is smaller the more images share the rows', () => {
    const windows = [1, 2, 4, 8, 16, 32].map((images) => choose([], { images }));
    expect(windows).toEqual(windows.toSorted((a, b) => b - a));
    expect(windows.at(-1)).toBe(1);
  });

  test('has a program, where there is any that will do', () => {
    expect(choose([ran(2, 1), ran(4, 1)])).toBe(2);
    expect(choose([ran(2, 1)])).toBe(1);
  });

  test('is one until it is known what passes take without', () => {
    expect(choose([ran(2, 5, 3), ran(16, 1)])).toBe(1);
    expect(choose([ran(2, 5), ran(16, 1)])).toBe(8);
    // The first passes say nothing.
    expect(choose([ran(2, 1), ran(16, 9, 3)])).toBe(8);
    expect(choose([ran(2, 1), ran(16, 9)])).toBe(1);
  });
});

describe('the time of a pass', () => {
  const [small, large] = [{ dim: 768 }, { dim: 3200 }];

  test('is that of one H200 in proportion, where nothing was measured', () => {
    expect(passMs(small, 16, []) / passMs(small, 2, [])).toBeCloseTo(0.87 / 0.64, 2);
    expect(passMs(large, 16, []) / passMs(large, 2, [])).toBeCloseTo(9.15 / 2.78, 2);
    expect(passMs({ dim: 100 }, 16, [])).toBe(passMs(small, 16, []));
  });

  test('is what was measured, and next to it in proportion', () => {
    const measured = [
      { rows: 2, ms: 10 },
      { rows: 16, ms: 12 },
    ];
    expect(passMs(small, 16, measured)).toBeCloseTo(12, 9);
    expect(passMs(small, 2, measured)).toBeCloseTo(10, 9);
    expect(passMs(small, 32, measured)).toBeGreaterThan(12);
    expect(passMs(small, 4, measured)).toBeLessThan(11);
  });
});
