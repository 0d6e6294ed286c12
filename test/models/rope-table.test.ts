import { describe, expect, test } from 'vitest';
import { ropeTable } from '../../src/models/rope-table.ts';
import { expectClose } from '../oracle/compare.ts';
import { loadGolden } from '../support/golden-case.ts';

interface TableConfig {
  readonly grid: number;
  readonly head_dim: number;
  readonly cls_token_num: number;
  readonly base: number;
}

describe('the official float32 table', () => {
  test.each([
    'op_rope_table_g16_d64_c1',
    'op_rope_table_g24_d100_c1',
    'op_rope_table_g16_d64_c120',
  ])('%s', (name) => {
    const { config, tensor } = loadGolden<TableConfig>(name);
    const table = ropeTable({
      gridSize: config.grid,
      headDim: config.head_dim,
      clsTokenNum: config.cls_token_num,
      ropeBase: config.base,
    });
    // A frequency rounded the other way turns the last cell of a row by 23 * 2^-25.
    expectClose(name, table, tensor('freqs_cis').data, { nmse: 1e-12, max: 2e-6 });
  });
});

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
