import { NO_ROW } from '../../../kernels/lib/row-table.ts';
import { type DrawTokenParams, drawToken as kernel } from '../../../kernels/sampler/draw-token.ts';
import type { Sampling } from '../../../kernels/sampler/sequence-table.ts';
import { drawToken as oracle, race } from '../../oracle/draw-token.ts';
import { filterLogits } from '../../oracle/filter-logits.ts';
import { rowsAt } from '../../support/places.ts';
import { normal } from '../../support/random.ts';
import { drawing, packed, sampling } from '../../support/sampling.ts';
import { SAMPLER_VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record, type Values } from '../record.ts';

/** With as many rows again the second half is without condition. */
const isGuided = ({ rows, sequences }: DrawTokenParams): boolean => rows === 2 * sequences;

/** Number 5 draws the first token after those that are given, number 6 has its last given one. */
const settingsOf = ({ sequences }: DrawTokenParams): Sampling[] =>
  Array.from({ length: sequences }, (_, s) =>
    sampling({ seed: 1000 + s, given: s === 5 ? 5 : s === 6 ? 7 : 0 }),
  );

/** Every sequence stands at a step of its own, in a slot of its own. */
export const steppedRows = ({ rows, sequences, clsTokenNum }: DrawTokenParams): Uint32Array =>
  rowsAt(
    Array.from({ length: rows }, (_, r) => [r, ((r % sequences) % STEPS) + clsTokenNum - 1]).flat(),
  );

/** The third stands nowhere. */
const withIdle = (params: DrawTokenParams): Uint32Array =>
  steppedRows(params).map((word, i) => (i === 4 * 2 + 1 ? NO_ROW : word));

/** Steps at which sequences stand. */
const STEPS = 16;

/** What no token is and nothing that is written. */
const BEFORE = 0xffff_0000;

/** Of each entry something that was there before. */
export const nothingDrawn = ({ sequences }: DrawTokenParams): Uint32Array =>
  new Uint32Array(sequences).fill(BEFORE);

/** What may be drawn. f32 cannot tell scores apart that are as close as 1e-5: any of those may win. */
export function drawn(
  params: DrawTokenParams,
  settings: readonly Sampling[],
  inputs: Record<'probs' | 'rowTable' | 'drawn', ArrayLike<number>>,
  made: Values,
): Uint32Array {
  const { vocabSize, clsTokenNum } = params;
  const { probs, rowTable } = inputs;
  const sequences = drawing(settings, isGuided(params));
  const expected = oracle(params, { ...inputs, sequences });
  for (const [s, { row, seed }] of sequences.entries()) {
    if (expected[s]! >= vocabSize) continue;
    const step = rowTable[4 * row + 1]! - (clsTokenNum - 1);
    const own = Array.from({ length: vocabSize }, (_, t) => probs[s * vocabSize + t]!);
    if (race(own, seed, step, 1e-5).includes(made.drawn![s]!)) expected[s] = made.drawn![s]!;
  }
  return expected;
}

const SIZES = { sequences: 24, rows: 24, clsTokenNum: 1 } as const;

export const drawToken: KernelRecord<DrawTokenParams> = record<
  DrawTokenParams,
  Record<'probs' | 'sequenceTable' | 'rowTable' | 'drawn', ArrayLike<number>>
>({
  name: 'draw_token',
  kernel,
  shown: {
    ...{ sequences: 1, rows: 2, vocabSize: 16384, clsTokenNum: 1 },
  },
  suites: [
    {
      variants: SAMPLER_VARIANTS,
      cases: [1, 2, 5, 257, 1000, 16384].map((vocabSize) => ({ ...SIZES, vocabSize })),
      few: 1,
    },
  ],
  texts: [2, 4].map((rows) => ({
    ...{ sequences: 2, rows, vocabSize: 257, clsTokenNum: 1 },
  })),
  inputs: {
    // All sequences see the same distribution.
    probs: ({ sequences, vocabSize }) => {
      const own = filterLogits(normal(vocabSize, vocabSize, 2), sampling());
      return Float32Array.from({ length: sequences * vocabSize }, (_, i) => own[i % vocabSize]!);
    },
    sequenceTable: (params) => packed(settingsOf(params), isGuided(params)),
    rowTable: withIdle,
    drawn: nothingDrawn,
  },
  oracle: (params, inputs, made) => ({ drawn: drawn(params, settingsOf(params), inputs, made) }),
  tolerance: () => 'equal',
});
