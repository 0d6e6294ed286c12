import { describe, expect, test } from 'vitest';
import { embed } from '../../kernels/embed/embed.ts';
import { packRows } from '../../kernels/lib/row-table.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

describe('what is outside a table gives NaN, never another row', () => {
  const params = { capacity: 1, dim: 4, vocabSize: 3, labels: 2, blockSize: 4 };
  const tables = { labelTable: normal(2 * 4, 1), tokenTable: normal(3 * 4, 2) };

  test.each([
    { what: 'class', row: { position: 0, condition: 2 }, tokens: [0, 0, 0, 0] },
    { what: 'huge class', row: { position: 0, condition: 0xffffffff }, tokens: [0, 0, 0, 0] },
    { what: 'token', row: { position: 2, condition: 0 }, tokens: [0, 3, 0, 0] },
    { what: 'huge token', row: { position: 4, condition: 0 }, tokens: [0, 0, 0, 0xffffffff] },
    { what: 'position', row: { position: 5, condition: 0 }, tokens: [0, 0, 0, 0] },
  ])('$what', async ({ row, tokens }) => {
    // A second row, inside the tables, must not suffer.
    const rows = [
      { ...row, slot: 1, sequence: 0 },
      { slot: 0, sequence: 0, position: 1, condition: 0 },
    ];
    const inputs = { ...tables, rowTable: packRows(rows), tokens };
    const { out } = await runKernel(device, embed({ ...params, rows: 2 }), inputs);
    expect([...out!.subarray(0, 4)]).toEqual(Array(4).fill(Number.NaN));
    expect([...out!.subarray(4)]).toEqual([...tables.tokenTable.subarray(0, 4)]);
  });

  test('caption that begins so far past the table that its second token would be within', async () => {
    const row = { slot: 0, sequence: 0, position: 1, condition: 0xffffffff };
    const inputs = { ...tables, rowTable: packRows([row]), tokens: [0, 0, 0, 0] };
    const { out } = await runKernel(device, embed({ ...params, rows: 1, clsTokenNum: 2 }), inputs);
    expect([...out!]).toEqual(Array(4).fill(Number.NaN));
  });

  test('caption past the table', async () => {
    const rows = [2, 3, 4].map((position) => {
      return { slot: 0, sequence: 0, position, condition: 0 };
    });
    // Two tokens of the caption are missing, and the third row is the first token.
    const inputs = { ...tables, rowTable: packRows(rows), tokens: [1, 0, 0, 0] };
    const kernel = embed({ ...params, rows: 3, clsTokenNum: 4 });
    const { out } = await runKernel(device, kernel, inputs);
    expect([...out!.subarray(0, 8)]).toEqual(Array(8).fill(Number.NaN));
    expect([...out!.subarray(8)]).toEqual([...tables.tokenTable.subarray(4, 8)]);
  });
});
