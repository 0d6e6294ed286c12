import { type EmbedParams, embed as kernel } from '../../../kernels/embed/embed.ts';
import { NO_ROW, packRows } from '../../../kernels/lib/row-table.ts';
import { type EmbedInputs, embed as oracle } from '../../oracle/embed.ts';
import { normal, uniform } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

const DTYPES = ['f32', 'f16', 'bf16'] as const;

/** Sizes of a pass. */
const cases: readonly EmbedParams[] = [
  { rows: 1, capacity: 1, dim: 4, vocabSize: 2, labels: 1, blockSize: 1 },
  { rows: 2, capacity: 1, dim: 36, vocabSize: 50, labels: 11, blockSize: 4 },
  { rows: 8, capacity: 2, dim: 5, vocabSize: 9, labels: 3, blockSize: 9 },
  { rows: 17, capacity: 3, dim: 70, vocabSize: 257, labels: 5, blockSize: 16 },
  { rows: 33, capacity: 3, dim: 300, vocabSize: 16, labels: 4, blockSize: 25 },
];

/** Captions of f32 before tokens of any storage. */
const captions: readonly EmbedParams[] = [
  { rows: 8, capacity: 2, dim: 5, vocabSize: 9, labels: 6, blockSize: 9, clsTokenNum: 2 },
  { rows: 40, capacity: 3, dim: 36, vocabSize: 50, labels: 28, blockSize: 25, clsTokenNum: 7 },
].map((params) => ({ ...params, labelDtype: 'f32' }));

const integers = (seed: number) => {
  const next = uniform(seed);
  return (below: number): number => Math.floor(next() * below);
};

export const embed: KernelRecord<EmbedParams> = record<EmbedParams, EmbedInputs>({
  name: 'embed',
  kernel,
  shown: {
    ...{ rows: 2, capacity: 1, dim: 768, vocabSize: 16384, labels: 1001, blockSize: 576 },
    dtype: 'f16',
  },
  suites: DTYPES.map((dtype) => ({
    cases: [...cases, ...captions].map((params) => ({ ...params, dtype })),
  })),
  texts: DTYPES.flatMap((dtype) =>
    [10, 36].map((dim) => ({
      ...{ rows: 4, capacity: 2, dim, vocabSize: 7, labels: 3, blockSize: 9, dtype },
      ...(dim === 10 && { clsTokenNum: 2, labels: 6, labelDtype: 'f32' as const }),
    })),
  ),
  inputs: {
    // Every third row is idle, and slots say nothing here.
    rowTable: ({ rows, capacity, labels, blockSize, clsTokenNum = 1 }) => {
      const next = integers(1);
      return packRows(
        Array.from({ length: rows }, (_, r) => ({
          slot: next(99),
          position: r % 3 === 2 ? NO_ROW : r % (blockSize + clsTokenNum),
          sequence: next(capacity),
          condition: clsTokenNum * next(labels / clsTokenNum),
        })),
      );
    },
    tokens: ({ capacity, blockSize, vocabSize }) => {
      const next = integers(5);
      return Uint32Array.from({ length: capacity * blockSize }, () => next(vocabSize));
    },
    labelTable: ({ labels, dim, dtype = 'f32', labelDtype = dtype }) =>
      exactIn(labelDtype, normal(labels * dim, 2)),
    tokenTable: ({ vocabSize, dim, dtype = 'f32' }) => exactIn(dtype, normal(vocabSize * dim, 3)),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Values are copied; idle rows are NaN.
  tolerance: () => 'equal',
  partly: ['out'],
});
