/** What kernels say that they move and compute: only what is read or written, and once. */
import { describe, expect, test } from 'vitest';
import { attention } from '../../kernels/attention/attention.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { byteLength, costOf } from '../../kernels/cost.ts';
import { placeRows } from '../../kernels/embed/place-rows.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import { linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { rowsProduct } from '../../kernels/product/rows-product.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';

const sizes = { rows: 5, inDim: 16, outDim: 48 };
const heads = { nHead: 4, nKvHead: 2, headDim: 8 };

test('a tiled product computes what a product of few rows does', () => {
  expect(costOf(matmul({ ...sizes, residual: true }))).toEqual(
    costOf(linear({ ...sizes, residual: true })),
  );
});

describe('parts of columns cost what the whole costs, but for the input, which each reads', () => {
  test.each<[string, readonly string[], (columns?: Columns) => Kernel]>([
    ['linear', ['x'], (columns) => linear({ ...sizes, residual: true, columns })],
    ['linearParts', ['x'], (columns) => linearParts({ ...sizes, split: 3, columns })],
    ['matmul', ['x'], (columns) => matmul({ ...sizes, residual: true, columns })],
    ['rowsProduct', ['x'], (columns) => rowsProduct({ ...sizes, residual: true, columns })],
    [
      'swiglu',
      ['x', 'gain'],
      (columns) => swiglu({ rows: 5, dim: 16, hiddenDim: 48, normEps: 0, columns }),
    ],
    [
      'qkvRopeCache',
      ['x', 'gain', 'rowTable'],
      (columns) =>
        qkvRopeCache({
          ...{ nHead: 4, nKvHead: 1, headDim: 8, rows: 5, dim: 16, normEps: 0 },
          ...{ slots: 3, positions: 17, columns },
        }),
    ],
  ])('%s', (_, inputs, make) => {
    const whole = make();
    const parts = [make({ first: 0, count: 20 }), make({ first: 20, count: 28 })].map(costOf);
    const again = Object.entries(whole.bindings)
      .filter(([name]) => inputs.includes(name))
      .reduce((sum, [, binding]) => sum + byteLength(binding), 0);
    const { bytes, operations } = costOf(whole);
    expect(parts.reduce((sum, part) => sum + part.bytes, 0)).toBe(bytes + again);
    expect(parts.reduce((sum, part) => sum + part.operations, 0)).toBe(operations);
  });
});

describe('what is not touched costs nothing', () => {
  test('lines of a table where no row goes', () => {
    const bytesIn = (lines: number) => costOf(placeRows({ rows: 3, lines, dim: 8 })).bytes;
    // Rows, read and written, and their places.
    expect([3, 300].map(bytesIn)).toEqual([2 * 96 + 12, 2 * 96 + 12]);
  });

  test('positions of a cache where no row stands', () => {
    const bytesIn = (slots: number, positions: number) =>
      costOf(ropeCache({ ...heads, rows: 3, slots, positions })).bytes;
    // q, k and v, read and written, and where they stand.
    expect(bytesIn(1, 5)).toBe(3 * (2 * 8 * 8 * 4 + 16));
    expect(bytesIn(4, 500)).toBe(bytesIn(1, 5));
  });

  test('slots of a cache without rows', () => {
    const bytesOf = (rows: number, slots: number) =>
      costOf(attention({ ...heads, rows, slots, positions: 9 })).bytes;
    expect(bytesOf(1, 16)).toBe(bytesOf(1, 1));
    expect(bytesOf(2, 16)).toBe(2 * bytesOf(1, 1));
    // Two rows of one slot read it together.
    expect(bytesOf(2, 1)).toBeLessThan(2 * bytesOf(1, 1));
  });
});
