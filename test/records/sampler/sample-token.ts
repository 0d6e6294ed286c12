import {
  sampleToken as kernel,
  type SampleTokenParams,
} from '../../../kernels/sampler/sample-token.ts';
import type { Sampling } from '../../../kernels/sampler/sequence-table.ts';
import { filterLogits } from '../../oracle/filter-logits.ts';
import { guidance } from '../../oracle/guidance.ts';
import { normal } from '../../support/random.ts';
import { drawing, packed, sampling } from '../../support/sampling.ts';
import { SAMPLER_VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';
import { drawn, nothingDrawn, steppedRows } from './draw-token.ts';

/** What a sequence may ask for. */
export const SETTINGS: readonly Sampling[] = [
  sampling({ seed: 1, cfgScale: 4, topK: 20 }),
  sampling({ seed: 2, cfgScale: 1 }),
  sampling({ seed: 3, cfgScale: 2, topP: 0.7, temperature: 0.8 }),
  sampling({ seed: 4, cfgScale: 3, greedy: true }),
  sampling({ seed: 5, cfgScale: 3, cfgInterval: 0, topK: 9, topP: 0.9 }),
  // The last given token stands before the one that is drawn.
  sampling({ seed: 6, cfgScale: 2, given: 5 }),
];

const settingsOf = ({ sequences }: SampleTokenParams): Sampling[] =>
  Array.from({ length: sequences }, (_, s) => SETTINGS[s % SETTINGS.length]!);

/** With as many rows again the second half is without condition. */
const isGuided = ({ rows, sequences }: SampleTokenParams): boolean => rows === 2 * sequences;

/** With so many tokens, one of them in a group of its own, all logits are below the zeros past the end. */
export const NEGATIVE = 65;
/** With so many, multiples of three: many are equal, also where top-k and top-p cut. */
const TIES = 36;
/** With so many, each is next to others and equal to none. */
const NEAR: readonly number[] = [40, 41, 42, 43];

const sizes = { sequences: 6, clsTokenNum: 1 } as const;

export const sampleToken: KernelRecord<SampleTokenParams> = record<
  SampleTokenParams,
  Record<'raw' | 'sequenceTable' | 'rowTable' | 'drawn', ArrayLike<number>>
>({
  name: 'sample_token',
  kernel,
  shown: {
    ...{ sequences: 1, rows: 2, vocabSize: 16384, clsTokenNum: 1 },
  },
  suites: [
    {
      variants: SAMPLER_VARIANTS,
      cases: [
        { ...sizes, rows: 6, vocabSize: 64 },
        { ...sizes, rows: 12, vocabSize: 257 },
        { ...sizes, rows: 12, vocabSize: 1000 },
        { ...sizes, rows: 6, vocabSize: NEGATIVE },
        { ...sizes, rows: 6, vocabSize: TIES },
        { ...sizes, rows: 12, vocabSize: TIES },
        ...NEAR.map((vocabSize) => ({ ...sizes, rows: 6, vocabSize })),
        // Enough of them that a share of their range holds many.
        { ...sizes, rows: 6, vocabSize: 5000 },
      ]
        .map((params) => ({ ...params, keep: true }))
        .concat({ ...sizes, rows: 12, vocabSize: 1000, keep: false }),
      // With barriers test/kernels/sample-token.test.ts compares it with the kernels it is made of.
      few: 0,
    },
  ],
  texts: [true, false].map((keep) => ({
    ...{ sequences: 2, rows: 4, vocabSize: 257, clsTokenNum: 1, keep },
  })),
  inputs: {
    raw: ({ rows, vocabSize }) => {
      const drawn = normal(rows * vocabSize, vocabSize, 3, vocabSize === NEGATIVE ? -20 : 0);
      if (vocabSize !== TIES && !NEAR.includes(vocabSize)) return drawn;
      const step = vocabSize === TIES ? 0 : 2 ** -19;
      return drawn.map((logit, i) => 3 * Math.round(logit / 3) + i * step);
    },
    sequenceTable: (params) => packed(settingsOf(params), isGuided(params)),
    rowTable: steppedRows,
    drawn: nothingDrawn,
  },
  // Each step from what the kernel made before it: sums in f32 may order what is close otherwise.
  oracle(params, { raw, rowTable, drawn: before }, made) {
    const { vocabSize, keep } = params;
    const settings = settingsOf(params);
    const sequences = drawing(settings, isGuided(params));
    const logits = guidance(params, { logits: raw, rowTable, sequences });
    const seen = made.logits ?? logits;
    const probs = settings.flatMap((own, s) => [
      ...filterLogits(
        Array.from({ length: vocabSize }, (_, t) => seen[s * vocabSize + t]!),
        own,
      ),
    ]);
    const given = { probs: made.probs ?? probs, rowTable, drawn: before };
    return { ...(keep && { logits, probs }), drawn: drawn(params, settings, given, made) };
  },
  // As of guidance, of filter_logits and of draw_token.
  tolerance: (output, { vocabSize: each }) => {
    if (output === 'logits') return { nmse: 1e-13, max: 5e-5 };
    return output === 'probs' ? { nmse: 1e-10, max: 5e-6, each, zeros: true } : 'equal';
  },
});
