import { type DrawTokenParams, drawToken as kernel } from '../../../kernels/sampler/draw-token.ts';
import type { Sampling } from '../../../kernels/sampler/sequence-table.ts';
import { type DrawTokenState, drawToken as oracle, race } from '../../oracle/draw-token.ts';
import { filterLogits } from '../../oracle/filter-logits.ts';
import { rowsAt } from '../../support/places.ts';
import { normal } from '../../support/random.ts';
import { drawing, packed, sampling } from '../../support/sampling.ts';
import { F32_VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record, type Values } from '../record.ts';

/** With as many rows again the second half is without condition. */
const isGuided = ({ rows, sequences }: DrawTokenParams): boolean => rows === 2 * sequences;

const settingsOf = ({ sequences }: DrawTokenParams): Sampling[] =>
  Array.from({ length: sequences }, (_, s) => sampling({ seed: 1000 + s }));

/** Every sequence stands at a step of its own, in a slot of its own. */
export const steppedRows = ({
  rows,
  sequences,
  blockSize,
  clsTokenNum,
}: DrawTokenParams): Uint32Array =>
  rowsAt(
    Array.from({ length: rows }, (_, r) => [
      r,
      ((r % sequences) % blockSize) + clsTokenNum - 1,
    ]).flat(),
  );

/** A grid in which nothing was drawn yet. */
export const emptyGrid = ({ capacity, blockSize }: DrawTokenParams): Uint32Array =>
  new Uint32Array(capacity * blockSize).fill(0xffff);

/**
 * Rows and tokens after the draw. f32 cannot tell scores apart that are as close as 1e-5: any of those
 * may win.
 */
export function drawn(
  params: DrawTokenParams,
  settings: readonly Sampling[],
  { probs, rowTable, tokens }: Record<'probs' | 'rowTable' | 'tokens', ArrayLike<number>>,
  made: Values,
): DrawTokenState {
  const { vocabSize, blockSize, clsTokenNum } = params;
  const sequences = drawing(settings, isGuided(params));
  const expected = oracle(params, { probs, rowTable, tokens, sequences });
  for (const [s, { row, sequence, seed, given }] of sequences.entries()) {
    const step = rowTable[4 * row + 1]! - (clsTokenNum - 1);
    if (step >= blockSize || step < given) continue;
    const own = Array.from({ length: vocabSize }, (_, t) => probs[s * vocabSize + t]!);
    const at = sequence * blockSize + step;
    if (race(own, seed, step, 1e-5).includes(made.tokens![at]!)) {
      expected.tokens[at] = made.tokens![at]!;
    }
  }
  return expected;
}

const SIZES = { sequences: 24, rows: 24, capacity: 24, blockSize: 16, clsTokenNum: 1 } as const;

export const drawToken: KernelRecord<DrawTokenParams> = record<
  DrawTokenParams,
  Record<'probs' | 'sequenceTable' | 'rowTable' | 'tokens', ArrayLike<number>>
>({
  name: 'draw_token',
  kernel,
  shown: {
    ...{ sequences: 1, rows: 2, capacity: 1, vocabSize: 16384, blockSize: 576, clsTokenNum: 1 },
  },
  suites: [
    {
      variants: F32_VARIANTS,
      cases: [1, 2, 5, 257, 1000, 16384].map((vocabSize) => ({ ...SIZES, vocabSize })),
      few: 1,
    },
  ],
  texts: [2, 4].map((rows) => ({
    ...{ sequences: 2, rows, capacity: 3, vocabSize: 257, blockSize: 9, clsTokenNum: 1 },
  })),
  inputs: {
    // All sequences see the same distribution.
    probs: ({ sequences, vocabSize }) => {
      const own = filterLogits(normal(vocabSize, vocabSize, 2), sampling());
      return Float32Array.from({ length: sequences * vocabSize }, (_, i) => own[i % vocabSize]!);
    },
    sequenceTable: (params) => packed(settingsOf(params), isGuided(params)),
    rowTable: steppedRows,
    tokens: emptyGrid,
  },
  oracle: (params, inputs, made) => ({ ...drawn(params, settingsOf(params), inputs, made) }),
  tolerance: () => 'equal',
});
