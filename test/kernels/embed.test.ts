import { describe, expect, test } from 'vitest';
import { embed } from '../../kernels/embed/embed.ts';
import * as oracle from '../oracle/embed.ts';
import { testDevice } from '../support/device.ts';
import { normal, uniform } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS, variantName } from '../support/variants.ts';
import { exactIn } from '../support/weights.ts';

const device = await testDevice();

/** Sizes of a batch: with guidance there are two slots, and two rows, to a sequence. */
const cases = [
  { rows: 1, slots: 1, sequences: 1, dim: 4, vocabSize: 2, labels: 1, blockSize: 1 },
  { rows: 2, slots: 2, sequences: 1, dim: 36, vocabSize: 50, labels: 11, blockSize: 4 },
  { rows: 8, slots: 4, sequences: 2, dim: 5, vocabSize: 9, labels: 3, blockSize: 9 },
  { rows: 17, slots: 3, sequences: 3, dim: 70, vocabSize: 257, labels: 5, blockSize: 16 },
  { rows: 33, slots: 6, sequences: 3, dim: 300, vocabSize: 16, labels: 4, blockSize: 25 },
];

for (const dtype of ['f32', 'f16', 'bf16'] as const) {
  for (const variant of deviceVariants(device, VARIANTS)) {
    // Nothing is reduced here, and f32 tables have no halves: the same text again.
    if (variant.reduce !== 'workgroup' || (variant.f16 && dtype !== 'f16')) continue;
    for (const params of cases) {
      const kernel = embed({ ...params, dtype, variant });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const { rows, slots, sequences, dim, vocabSize, labels, blockSize } = params;
        const next = uniform(1);
        const below = (n: number) => Math.floor(next() * n);
        const tables = [normal(labels * dim, 2), normal(vocabSize * dim, 3)];
        const [labelTable, tokenTable] = tables.map((table) => exactIn(dtype, table));
        const inputs = {
          place: Array.from({ length: rows }, (_, r) => [below(slots), r % (blockSize + 1)]).flat(),
          label: Array.from({ length: slots }, () => below(labels)),
          tokens: Array.from({ length: sequences * blockSize }, () => below(vocabSize)),
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
  const params = { slots: 2, sequences: 1, dim: 4, vocabSize: 3, labels: 2, blockSize: 4 };
  const tables = { labelTable: normal(2 * 4, 1), tokenTable: normal(3 * 4, 2) };

  test.each([
    { what: 'label', place: [0, 0], label: [2, 0], tokens: [0, 0, 0, 0] },
    { what: 'huge label', place: [1, 0], label: [0, 0xffffffff], tokens: [0, 0, 0, 0] },
    { what: 'token', place: [0, 2], label: [0, 0], tokens: [0, 3, 0, 0] },
    { what: 'huge token', place: [1, 4], label: [0, 0], tokens: [0, 0, 0, 0xffffffff] },
    { what: 'position', place: [0, 5], label: [0, 0], tokens: [0, 0, 0, 0] },
  ])('$what', async ({ place, label, tokens }) => {
    // A second row, inside the tables, must not suffer.
    const inputs = { ...tables, place: [...place, 0, 1], label, tokens };
    const { out } = await runKernel(device, embed({ ...params, rows: 2 }), inputs);
    expect([...out!.subarray(0, 4)]).toEqual(Array(4).fill(Number.NaN));
    expect([...out!.subarray(4)]).toEqual([...tables.tokenTable.subarray(0, 4)]);
  });
});
