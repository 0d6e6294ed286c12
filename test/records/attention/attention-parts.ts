import {
  type AttentionPartsParams,
  attentionParts as kernel,
} from '../../../kernels/attention/attention-parts.ts';
import type { AttentionInputs } from '../../oracle/attention.ts';
import { attentionParts as oracle } from '../../oracle/attention-parts.ts';
import { F32_VARIANTS, VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';
import { attentionInputs } from './inputs.ts';

const grouped: AttentionPartsParams = {
  ...{ rows: 9, nHead: 6, nKvHead: 1, headDim: 64, slots: 2, positions: 130, split: 4 },
};
const cases: readonly AttentionPartsParams[] = [
  { rows: 2, nHead: 3, nKvHead: 3, headDim: 12, slots: 2, positions: 9, split: 64 },
  grouped,
  // More columns in a part than the lanes but for the last subgroup.
  { rows: 16, nHead: 16, nKvHead: 1, headDim: 4, slots: 2, positions: 140, split: 2 },
  { rows: 17, nHead: 2, nKvHead: 2, headDim: 100, slots: 4, positions: 33, split: 2 },
  // Seven parts of ten columns.
  { rows: 16, nHead: 2, nKvHead: 1, headDim: 8, slots: 2, positions: 65, split: 7, masked: true },
];

export const attentionParts: KernelRecord<AttentionPartsParams> = record<
  AttentionPartsParams,
  AttentionInputs
>({
  name: 'attention_parts',
  kernel: (params) => kernel(params as AttentionPartsParams & { masked: true }),
  shown: { rows: 2, nHead: 12, nKvHead: 12, headDim: 64, slots: 2, positions: 577, split: 4 },
  suites: [
    { variants: F32_VARIANTS, cases: cases.map((params) => ({ ...params, kvDtype: 'f32' })) },
    // f16 differs in how the cache is read alone.
    { variants: VARIANTS, cases: [{ ...grouped, kvDtype: 'f16' }] },
  ],
  texts: (['f32', 'f16'] as const).flatMap((kvDtype) => {
    const cache = { slots: 3, nKvHead: 2, positions: 17, headDim: 20, kvDtype };
    return [
      { ...cache, rows: 3, nHead: 4, split: 4 },
      { ...cache, rows: 5, nHead: 2, masked: true, split: 3 },
    ];
  }),
  inputs: attentionInputs,
  oracle(params, inputs, made) {
    const { out, peaks } = oracle(params, inputs);
    // The peak of a part in which everything is masked may be any: it weighs nothing.
    for (let i = 0; i < peaks.length; i += 2) if (peaks[i + 1] === 0) peaks[i] = made.peaks![i]!;
    return { out, peaks };
  },
  // Sums and weights are as large as the weights of their columns together.
  tolerance: (_, { positions, split }) => ({
    nmse: 1e-11,
    max: 2e-5 * Math.ceil(positions / split),
  }),
  partly: ['out', 'peaks'],
});
