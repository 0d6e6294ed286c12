import { PORTABLE } from '../../../kernels/kernel.ts';
import { matmul as kernel, type MatmulParams } from '../../../kernels/product/matmul.ts';
import { type LinearInputs, linear as oracle } from '../../oracle/linear.ts';
import { normal } from '../../support/random.ts';
import { MATRIX_DTYPES, storedWeight } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

/** Below, at and above the tile of 64 x 64 and its slices of 16; every remainder by 4. */
const cases: readonly MatmulParams[] = [
  { rows: 1, inDim: 4, outDim: 4 },
  { rows: 5, inDim: 5, outDim: 3 },
  { rows: 63, inDim: 16, outDim: 65 },
  { rows: 64, inDim: 36, outDim: 64 },
  { rows: 65, inDim: 70, outDim: 130 },
  { rows: 130, inDim: 150, outDim: 66 },
  { rows: 17, inDim: 17, outDim: 9, residual: true },
  { rows: 65, inDim: 32, outDim: 68, residual: true },
];

const WIDE = { tileM: 128, tileN: 128, eachM: 8, eachN: 8 };

export const matmul: KernelRecord<MatmulParams> = record<MatmulParams, Omit<LinearInputs, 'gain'>>({
  name: 'matmul',
  kernel: (params) => kernel(params as MatmulParams & { residual: true }),
  shown: { rows: 512, inDim: 768, outDim: 2304, dtype: 'f16' },
  suites: MATRIX_DTYPES.map((dtype) => ({
    // One text for all variants.
    variants: [PORTABLE],
    // Other storage differs in how weights are read alone.
    cases: (dtype === 'f32' ? cases : cases.slice(3, 5)).map((params) => ({ ...params, dtype })),
    few: 3,
  })).concat({
    // More rows and columns for each invocation.
    variants: [PORTABLE],
    cases: [
      { rows: 65, inDim: 70, outDim: 130, dtype: 'f32', tile: WIDE },
      { rows: 130, inDim: 36, outDim: 68, dtype: 'f32', residual: true, tile: WIDE },
    ],
    few: 1,
  }),
  texts: MATRIX_DTYPES.flatMap((dtype) => [
    ...[65, 64].map((inDim) => ({ rows: 65, inDim, outDim: 70, dtype })),
    { rows: 5, inDim: 36, outDim: 7, dtype, residual: true },
  ]),
  inputs: {
    x: ({ rows, inDim }) => normal(rows * inDim, 1),
    weight: ({ inDim, outDim, dtype = 'f32' }) =>
      storedWeight('weight', dtype, normal(outDim * inDim, 2, 0.3), [outDim, inDim]),
    residual: ({ rows, outDim }) => normal(rows * outDim, 4),
  },
  oracle: ({ tile: _, ...params }, inputs) => ({ out: oracle(params, inputs) }),
  // As for `linear`: f32 sums of up to 150 products.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outDim', axes: { weight: 0, residual: 1, out: 1 } },
});
