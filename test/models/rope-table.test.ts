/** The table's layout; `test/golden.test.ts` has the official numbers. */
import { expect, test } from 'vitest';
import { ropeTable } from '../../src/models/rope-table.ts';
import { expectClose } from '../oracle/compare.ts';

test('condition tokens have zero rows, not the identity', () => {
  const table = ropeTable({ gridSize: 2, headDim: 8, clsTokenNum: 3, ropeBase: 10000 });
  expect(table.length).toBe((3 + 4) * 8);
  expect([...table.subarray(0, 24)]).toEqual(Array(24).fill(0));
  // The first cell stands at row 0 and column 0: no rotation.
  expect([...table.subarray(24, 32)]).toEqual([1, 0, 1, 0, 1, 0, 1, 0]);
});

test('the first half of the pairs turns with the row, the second with the column', () => {
  const table = ropeTable({ gridSize: 3, headDim: 8, clsTokenNum: 1, ropeBase: 100 });
  const [row, column] = [2, 1];
  const at = (1 + row * 3 + column) * 8;
  const angles = [row, row / 10, column, column / 10];
  const expected = angles.flatMap((a) => [Math.cos(a), Math.sin(a)]);
  expectClose('pairs', table.subarray(at, at + 8), expected, { nmse: 1e-13, max: 1e-6 });
});
