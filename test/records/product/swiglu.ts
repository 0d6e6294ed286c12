import type { GatedMulParams } from '../../../kernels/product/gated-mul.ts';
import { siluMul as siluMulKernel } from '../../../kernels/product/silu-mul.ts';
import { type SwigluParams, swiglu as swigluKernel } from '../../../kernels/product/swiglu.ts';
import * as oracle from '../../oracle/swiglu.ts';
import { normal } from '../../support/random.ts';
import { SERIAL_LANES, VARIANTS } from '../../support/variants.ts';
import { MATRIX_DTYPES, storedWeight } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

/** Products of two f32 sums and an exponential that WGSL allows a few units in the last place. */
const TOLERANCE = { nmse: 1e-11, max: 2e-4 };

const cases: readonly SwigluParams[] = [
  { rows: 1, dim: 4, hiddenDim: 4, normEps: 1e-5 },
  { rows: 2, dim: 36, hiddenDim: 100, normEps: 1e-5 },
  { rows: 3, dim: 5, hiddenDim: 7, normEps: 1e-5 },
  { rows: 5, dim: 70, hiddenDim: 33, normEps: 0.5 },
  { rows: 8, dim: 100, hiddenDim: 256, normEps: 1e-5 },
  { rows: 9, dim: 256, hiddenDim: 6, normEps: 1e-5 },
  { rows: 17, dim: 70, hiddenDim: 12, normEps: 1e-5 },
  { rows: 33, dim: 36, hiddenDim: 5, normEps: 1e-5 },
];

const weight =
  (name: string, seed: number) =>
  ({ dim, hiddenDim, dtype = 'f32' }: SwigluParams) =>
    storedWeight(name, dtype, normal(hiddenDim * dim, seed, 0.3), [hiddenDim, dim]);

export const swiglu: KernelRecord<SwigluParams> = record<SwigluParams, oracle.SwigluInputs>({
  name: 'swiglu',
  kernel: swigluKernel,
  shown: { rows: 2, dim: 768, hiddenDim: 2048, normEps: 1e-5, dtype: 'f16' },
  suites: MATRIX_DTYPES.map((dtype) => ({
    variants: [...VARIANTS, SERIAL_LANES],
    // Other storage differs in how weights are read alone: whole groups of four, and not.
    cases: (dtype === 'f32' ? cases : cases.slice(1, 5)).map((params) => ({ ...params, dtype })),
    few: dtype === 'f32' ? 2 : 1,
  })),
  texts: MATRIX_DTYPES.flatMap((dtype) =>
    [5, 36].map((dim) => ({ rows: 9, dim, hiddenDim: 10, normEps: 1e-5, dtype })),
  ),
  inputs: {
    x: ({ rows, dim }) => normal(rows * dim, 1, 2),
    gain: ({ dim }) => normal(dim, 2, 0.5, 1),
    w1: weight('w1', 3),
    w3: weight('w3', 4),
  },
  oracle: (params, inputs) => ({ out: oracle.swiglu(params, inputs) }),
  tolerance: () => TOLERANCE,
  sampled: { size: 'hiddenDim', axes: { w1: 0, w3: 0, out: 1 } },
});

export const siluMul: KernelRecord<GatedMulParams> = record<
  GatedMulParams,
  { gate: ArrayLike<number>; up: ArrayLike<number> }
>({
  name: 'silu_mul',
  kernel: siluMulKernel,
  shown: { rows: 512, hiddenDim: 2048 },
  suites: [
    {
      cases: [
        { rows: 1, hiddenDim: 4 },
        { rows: 3, hiddenDim: 5 },
        { rows: 33, hiddenDim: 70 },
        { rows: 9, hiddenDim: 256 },
      ],
    },
  ],
  texts: [{ rows: 3, hiddenDim: 70 }],
  inputs: {
    gate: ({ rows, hiddenDim }) => normal(rows * hiddenDim, 1, 4),
    up: ({ rows, hiddenDim }) => normal(rows * hiddenDim, 2),
  },
  oracle: (_, inputs) => ({ out: oracle.siluMul(inputs) }),
  tolerance: () => TOLERANCE,
});
