import {
  mergeAttention as kernel,
  type MergeAttentionParams,
} from '../../../kernels/attention/merge-attention.ts';
import {
  type MergeAttentionInputs,
  mergeAttention as oracle,
} from '../../oracle/merge-attention.ts';
import { scatteredRows } from '../../support/places.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

const partsOf = ({ positions, split }: MergeAttentionParams): number =>
  Math.ceil(positions / Math.ceil(positions / split));

export const mergeAttention: KernelRecord<MergeAttentionParams> = record<
  MergeAttentionParams,
  MergeAttentionInputs
>({
  name: 'merge_attention',
  kernel,
  shown: { rows: 2, nHead: 12, headDim: 64, positions: 577, split: 4 },
  suites: [
    {
      cases: [
        { rows: 3, nHead: 2, headDim: 12, positions: 50, split: 6 },
        { rows: 1, nHead: 1, headDim: 4, positions: 1, split: 1 },
        { rows: 17, nHead: 6, headDim: 64, positions: 130, split: 4 },
        { rows: 9, nHead: 2, headDim: 20, positions: 9, split: 64 },
      ],
    },
  ],
  texts: [{ rows: 3, nHead: 4, headDim: 20, positions: 17, split: 4 }],
  inputs: {
    sums: (params) => normal(params.rows * params.nHead * partsOf(params) * params.headDim, 5),
    // Peaks far from each other, and weights of 1 and more.
    peaks: (params) =>
      normal(params.rows * params.nHead * partsOf(params) * 2, 6, 4).map((v, i) =>
        i % 2 === 0 ? v : 1 + Math.abs(v),
      ),
    rowTable: ({ rows, positions }) => scatteredRows(rows, rows, positions),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Exponentials and a division, each off by a few units in the last place.
  tolerance: () => ({ nmse: 1e-12, max: 1e-5 }),
});
