import {
  type FilterLogitsParams,
  filterLogits as kernel,
} from '../../../kernels/sampler/filter-logits.ts';
import type { Sampling } from '../../../kernels/sampler/sequence-table.ts';
import { filterLogits as oracle } from '../../oracle/filter-logits.ts';
import { normal } from '../../support/random.ts';
import { packed, sampling } from '../../support/sampling.ts';
import { SAMPLER_GROUPS, SAMPLER_VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';

const SETTINGS: readonly Sampling[] = [
  {},
  { temperature: 0.7 },
  { temperature: 3 },
  { topK: 1 },
  { topK: 7 },
  { topK: 50, temperature: 0.5 },
  { topK: 2000 },
  { topK: 2 ** 32 },
  { topP: 0.5 },
  { topP: 0.9, temperature: 0.7 },
  { topP: 0.999 },
  { topP: 0.83 },
  { topP: 0.9 },
  { topP: 0 },
  { topK: 50, topP: 0.8 },
  { topK: 3, topP: 0.1 },
  { greedy: true },
  { greedy: true, temperature: 0.2, topK: 4, topP: 0.3 },
].map(sampling);

/** With so many tokens, one of them in a group of its own, all logits are below the zeros past the end. */
const NEGATIVE = 65;
/** With so many, multiples of three: many are equal, also where top-p cuts. */
const TIES = 36;

const settingsOf = ({ sequences }: FilterLogitsParams): Sampling[] =>
  Array.from({ length: sequences }, (_, s) => SETTINGS[s % SETTINGS.length]!);

export const filterLogits: KernelRecord<FilterLogitsParams> = record<
  FilterLogitsParams,
  Record<'logits' | 'sequenceTable', Float32Array | Uint32Array>
>({
  name: 'filter_logits',
  kernel,
  shown: { sequences: 1, vocabSize: 16384 },
  suites: [
    {
      variants: SAMPLER_VARIANTS,
      cases: [1, 5, 257, 1000, 16384, NEGATIVE, TIES].map((vocabSize) => ({
        sequences: SETTINGS.length,
        vocabSize,
      })),
      few: 1,
    },
    // Of 5000 logits an invocation of 64 holds none, one of 128 holds ten groups of four.
    {
      variants: SAMPLER_GROUPS,
      cases: [TIES, 5000, 1000].map((vocabSize) => ({ sequences: SETTINGS.length, vocabSize })),
      few: 1,
    },
  ],
  texts: [{ sequences: 2, vocabSize: 257 }],
  inputs: {
    // The same logits under many settings.
    logits: ({ sequences, vocabSize }) => {
      const drawn = normal(vocabSize, vocabSize, 3, vocabSize === NEGATIVE ? -20 : 0);
      const own = vocabSize === TIES ? drawn.map((logit) => 3 * Math.round(logit / 3)) : drawn;
      return Float32Array.from({ length: sequences * vocabSize }, (_, i) => own[i % vocabSize]!);
    },
    sequenceTable: (params) => packed(settingsOf(params)),
  },
  oracle(params, { logits }) {
    const { vocabSize } = params;
    const rows = settingsOf(params).map((settings, s) =>
      oracle(logits.subarray(s * vocabSize, (s + 1) * vocabSize), settings),
    );
    return { probs: rows.flatMap((row) => [...row]) };
  },
  // An error of 1e-6 in a scaled logit of up to 16 is one of 1e-6 in its probability.
  tolerance: (_, { vocabSize }) => ({ nmse: 1e-10, max: 5e-6, each: vocabSize, zeros: true }),
});
