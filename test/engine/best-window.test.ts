import { describe, expect, test } from 'vitest';
import { bestWindow, passMs } from '../../src/engine/best-window.ts';
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
  const rowsOf = (window: number) => (2 * window <= 64 ? 2 * window : undefined);

  test.each([
    ['rows that are free', () => 1, 32],
    ['rows that cost in full', (rows: number) => rows, 1],
    ['a time that doubles with 14 more rows', (rows: number) => 1 + (rows - 2) / 14, 4],
    ['a time that jumps at 8 rows', (rows: number) => (rows > 4 ? 9 : 1), 2],
  ])('with %s', (_, msOf, window) => {
    expect(bestWindow({ rowsOf, msOf })).toBe(window);
  });

  test('is one where there is no program for more', () => {
    expect(bestWindow({ rowsOf: (window) => (window > 1 ? undefined : 2), msOf: () => 1 })).toBe(1);
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
