import { type GuidanceParams, guidance as kernel } from '../../../kernels/sampler/guidance.ts';
import type { DrawingSequence } from '../../../kernels/sampler/sequence-table.ts';
import { guidance as oracle } from '../../oracle/guidance.ts';
import { rowsAt } from '../../support/places.ts';
import { normal } from '../../support/random.ts';
import { drawing, packed, sampling } from '../../support/sampling.ts';
import { type KernelRecord, record } from '../record.ts';

const settingsOf = ({ sequences }: GuidanceParams) =>
  Array.from({ length: sequences }, (_, s) => sampling({ cfgScale: 1.5 + 2 * s }));

/** Every sequence has a row with its condition and one without. */
const sequencesOf = (params: GuidanceParams): DrawingSequence[] =>
  drawing(settingsOf(params), true);

/** About to draw token 3. */
const STEP = 3;

export const guidance: KernelRecord<GuidanceParams> = record<
  GuidanceParams,
  Record<'logits' | 'rowTable' | 'sequenceTable', ArrayLike<number>>
>({
  name: 'guidance',
  kernel,
  shown: { sequences: 1, rows: 2, vocabSize: 16384, clsTokenNum: 1 },
  suites: [
    {
      cases: [
        { sequences: 1, rows: 2, vocabSize: 4, clsTokenNum: 1 },
        { sequences: 2, rows: 4, vocabSize: 257, clsTokenNum: 1 },
        { sequences: 3, rows: 6, vocabSize: 5, clsTokenNum: 120 },
        { sequences: 5, rows: 10, vocabSize: 1000, clsTokenNum: 1 },
      ],
    },
  ],
  texts: [{ sequences: 2, rows: 4, vocabSize: 257, clsTokenNum: 1 }],
  inputs: {
    logits: ({ rows, vocabSize }) => normal(rows * vocabSize, 1, 4),
    rowTable: ({ rows, clsTokenNum }) =>
      rowsAt(Array.from({ length: rows }, (_, r) => [r, STEP + clsTokenNum - 1]).flat()),
    sequenceTable: (params) => packed(settingsOf(params), true),
  },
  oracle: (params, inputs) => ({
    out: oracle(params, { ...inputs, sequences: sequencesOf(params) }),
  }),
  // Three f32 roundings a value; guided logits reach about 100.
  tolerance: () => ({ nmse: 1e-13, max: 5e-5 }),
});
