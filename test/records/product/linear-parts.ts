import {
  linearParts as kernel,
  type LinearPartsParams,
} from '../../../kernels/product/linear-parts.ts';
import { type LinearPartsInputs, linearParts as oracle } from '../../oracle/linear-parts.ts';
import { normal } from '../../support/random.ts';
import { SERIAL_LANES, VARIANTS } from '../../support/variants.ts';
import { MATRIX_DTYPES, storedWeight } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

/** Parts of different sizes, one with nothing to sum, one with work for 65 invocations; loads of four and of eight values. */
const cases: readonly LinearPartsParams[] = [
  { rows: 1, inDim: 36, outDim: 7, split: 2 },
  { rows: 3, inDim: 70, outDim: 10, split: 4 },
  { rows: 2, inDim: 9, outDim: 4, split: 5 },
  { rows: 17, inDim: 104, outDim: 12, split: 3, dtype: 'bf16' },
  { rows: 9, inDim: 131, outDim: 9, split: 2, dtype: 'int8' },
  { rows: 2, inDim: 256, outDim: 5, split: 16, dtype: 'int4' },
  { rows: 2, inDim: 520, outDim: 5, split: 2 },
];

export const linearParts: KernelRecord<LinearPartsParams> = record<
  LinearPartsParams,
  LinearPartsInputs
>({
  name: 'linear_parts',
  kernel,
  shown: { rows: 2, inDim: 768, outDim: 768, split: 4, dtype: 'f16' },
  suites: [{ variants: [...VARIANTS, SERIAL_LANES], cases, few: 2 }],
  texts: MATRIX_DTYPES.map((dtype) => ({ rows: 3, inDim: 72, outDim: 10, dtype, split: 3 })),
  inputs: {
    x: ({ rows, inDim }) => normal(rows * inDim, 1),
    weight: ({ inDim, outDim, dtype = 'f32' }) =>
      storedWeight('weight', dtype, normal(outDim * inDim, 2, 0.3), [outDim, inDim]),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // As for `linear`.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outDim', axes: { weight: 0, out: 2 } },
});
