import {
  promptAttention as kernel,
  type PromptAttentionParams,
} from '../../../kernels/attention/prompt-attention.ts';
import {
  promptAttention as oracle,
  type PromptAttentionInputs,
} from '../../oracle/prompt-attention.ts';
import { normal, uniform } from '../../support/random.ts';
import { VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';

const cases: readonly PromptAttentionParams[] = [
  { rows: 1, nHead: 1, headDim: 4, buckets: 1, reach: 1 },
  { rows: 9, nHead: 3, headDim: 12, buckets: 8, reach: 4 },
  { rows: 24, nHead: 2, headDim: 64, buckets: 32, reach: 128 },
  // More keys than a workgroup takes at once.
  { rows: 150, nHead: 2, headDim: 20, buckets: 32, reach: 20 },
  { rows: 40, nHead: 1, headDim: 128, buckets: 32, reach: 128 },
];
/** Members of a unit, three and five, that a workgroup is no multiple of: only without barriers are there any. */
const straddling: readonly PromptAttentionParams[] = [48, 80].map((headDim) => ({
  ...{ rows: 9, nHead: 3, headDim, buckets: 8, reach: 4 },
}));
/** Every invocation of a workgroup has four features of its own: too many registers for one alone. */
const widest: PromptAttentionParams = { rows: 5, nHead: 1, headDim: 256, buckets: 4, reach: 3 };

/** Prompts of 1, 7, 70, 3 and 100 tokens, as many as there is room for; the last rows are of none. */
const LENGTHS = [1, 7, 70, 3, 100];

/** Where each row's prompt begins, and how many tokens it has. */
function placesOf(rows: number): Uint32Array {
  const places = new Uint32Array(2 * rows);
  let first = 0;
  for (const length of LENGTHS) {
    const count = Math.min(length, rows - first - (rows > 8 ? 2 : 0));
    for (let i = 0; i < count; i++) places.set([first, count], 2 * (first + i));
    first += Math.max(0, count);
  }
  return places;
}

const headsOf =
  (seed: number, deviation: number) =>
  ({ rows, nHead, headDim }: PromptAttentionParams): Float32Array =>
    normal(rows * nHead * headDim, seed, deviation);

export const promptAttention: KernelRecord<PromptAttentionParams> = record<
  PromptAttentionParams,
  PromptAttentionInputs
>({
  name: 'prompt_attention',
  kernel,
  shown: { rows: 128, nHead: 32, headDim: 64, buckets: 32, reach: 128 },
  suites: [
    {
      variants: VARIANTS.filter(({ reduce }) => reduce === 'serial'),
      cases: [...cases, ...straddling],
    },
    {
      variants: VARIANTS.filter(({ reduce }) => reduce !== 'serial'),
      cases: [...cases, widest],
      few: 2,
    },
  ],
  texts: [
    { rows: 3, nHead: 2, headDim: 20, buckets: 5, reach: 3 },
    { rows: 9, nHead: 2, headDim: 12, buckets: 5, reach: 3 },
  ],
  inputs: {
    q: headsOf(1, 1),
    k: headsOf(2, 1),
    v: headsOf(3, 1),
    places: ({ rows }) => placesOf(rows),
    bucketTable: ({ buckets, reach }) => {
      const next = uniform(4);
      return Uint32Array.from({ length: 2 * reach + 1 }, () => Math.floor(next() * buckets));
    },
    bias: ({ buckets, nHead }) => normal(buckets * nHead, 5, 2),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Scores reach about 40 and are good to 1e-5: an error in a score is as large in its weight.
  tolerance: () => ({ nmse: 1e-10, max: 1e-4 }),
});
