import { describe, expect, test } from 'vitest';
import { embed } from '../../kernels/embed/embed.ts';
import { NO_ROW, packRows } from '../../kernels/lib/row-table.ts';
import * as oracle from '../oracle/embed.ts';
import { testDevice } from '../support/device.ts';
import { normal, uniform } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS, variantName } from '../support/variants.ts';
import { exactIn } from '../support/weights.ts';

const device = await testDevice();

/** Sizes of a pass. */
const cases = [
  { rows: 1, capacity: 1, dim: 4, vocabSize: 2, labels: 1, blockSize: 1 },
  { rows: 2, capacity: 1, dim: 36, vocabSize: 50, labels: 11, blockSize: 4 },
  { rows: 8, capacity: 2, dim: 5, vocabSize: 9, labels: 3, blockSize: 9 },
  { rows: 17, capacity: 3, dim: 70, vocabSize: 257, labels: 5, blockSize: 16 },
  { rows: 33, capacity: 3, dim: 300, vocabSize: 16, labels: 4, blockSize: 25 },
];

for (const dtype of ['f32', 'f16', 'bf16'] as const) {
  for (const variant of deviceVariants(device, VARIANTS)) {
    // Nothing is reduced here, and f32 tables have no halves: the same text again.
    if (variant.reduce !== 'workgroup' || (variant.f16 && dtype !== 'f16')) continue;
    for (const params of cases) {
      const kernel = embed({ ...params, dtype, variant });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const { rows, capacity, dim, vocabSize, labels, blockSize } = params;
        const next = uniform(1);
        const below = (n: number) => Math.floor(next() * n);
        const tables = [normal(labels * dim, 2), normal(vocabSize * dim, 3)];
        const [labelTable, tokenTable] = tables.map((table) => exactIn(dtype, table));
        const inputs = {
          // Every third row is idle, and slots say nothing here.
          rowTable: packRows(
            Array.from({ length: rows }, (_, r) => ({
              slot: below(99),
              position: r % 3 === 2 ? NO_ROW : r % (blockSize + 1),
              sequence: below(capacity),
              condition: below(labels),
            })),
          ),
          tokens: Array.from({ length: capacity * blockSize }, () => below(vocabSize)),
          ...{ labelTable: labelTable!, tokenTable: tokenTable! },
        };
        const { out } = await runKernel(device, kernel, inputs);
        // Values are copied: equal, not close.
        expect([...out!]).toEqual([...oracle.embed(params, inputs)]);
      });
    }
  }
}

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
});
