import type { MatrixDType } from '../../../kernels/kernel.ts';
import { linear as kernel, type LinearParams } from '../../../kernels/product/linear.ts';
import { type LinearInputs, linear as oracle } from '../../oracle/linear.ts';
import { normal } from '../../support/random.ts';
import { SERIAL_LANES, VARIANTS } from '../../support/variants.ts';
import { MATRIX_DTYPES, storedWeight } from '../../support/weights.ts';
import { type KernelRecord, record, type Suite } from '../record.ts';

/** Every number of rows around the tiles of 8 and 16, every remainder of inDim and outDim by 4. */
const cases: readonly LinearParams[] = [
  { rows: 1, inDim: 4, outDim: 4 },
  { rows: 1, inDim: 5, outDim: 1 },
  { rows: 2, inDim: 36, outDim: 7 },
  { rows: 3, inDim: 70, outDim: 100 },
  { rows: 5, inDim: 100, outDim: 6 },
  { rows: 8, inDim: 256, outDim: 36 },
  { rows: 9, inDim: 300, outDim: 9 },
  { rows: 16, inDim: 7, outDim: 64 },
  { rows: 17, inDim: 36, outDim: 257 },
  { rows: 32, inDim: 36, outDim: 5 },
  { rows: 33, inDim: 70, outDim: 8 },
  { rows: 1, inDim: 70, outDim: 10, residual: true },
  { rows: 9, inDim: 36, outDim: 12, residual: true },
  { rows: 1, inDim: 256, outDim: 12, normEps: 1e-5 },
  { rows: 17, inDim: 70, outDim: 5, normEps: 1e-5 },
  { rows: 3, inDim: 5, outDim: 5, normEps: 0.1 },
  { rows: 5, inDim: 36, outDim: 6, normEps: 1e-5, residual: true },
];

/**
 * Other storage differs in how weights are read alone: rows of whole groups of eight, of four, of
 * pairs, and odd ones; for integers also more than one group of 64 or 32, the last one short.
 */
const halfCases: readonly LinearParams[] = [
  ...cases.filter(({ inDim }) => [5, 36, 70, 7].includes(inDim)).slice(0, 6),
  { rows: 2, inDim: 104, outDim: 9 },
  { rows: 9, inDim: 40, outDim: 6, normEps: 1e-5, residual: true },
];
const quantCases: readonly LinearParams[] = [
  ...halfCases,
  { rows: 2, inDim: 131, outDim: 9 },
  { rows: 1, inDim: 256, outDim: 5, normEps: 1e-5 },
];

const of = (dtype: MatrixDType, sizes: readonly LinearParams[]): LinearParams[] =>
  sizes.map((params) => ({ ...params, dtype }));

function otherStorage(dtype: MatrixDType): Suite<LinearParams>[] {
  const chosen = of(dtype, dtype === 'int8' || dtype === 'int4' ? quantCases : halfCases);
  return [
    { variants: VARIANTS, cases: chosen, few: 2 },
    // Serial sums with lanes: how weights are read is as without.
    { variants: [SERIAL_LANES], cases: chosen, fewSerial: 4 },
  ];
}

export const linear: KernelRecord<LinearParams> = record<LinearParams, LinearInputs>({
  name: 'linear',
  kernel: (params) => kernel(params as LinearParams & { residual: true }),
  shown: { rows: 2, inDim: 768, outDim: 2304, dtype: 'f16' },
  suites: [
    { variants: [...VARIANTS, SERIAL_LANES], cases: of('f32', cases), few: 5 },
    ...MATRIX_DTYPES.filter((dtype) => dtype !== 'f32').flatMap(otherStorage),
  ],
  texts: MATRIX_DTYPES.flatMap((dtype) => [
    ...[1, 3, 8, 17].flatMap((rows) =>
      [70, 36].map((inDim) => ({ rows, inDim, outDim: 10, dtype })),
    ),
    { rows: 5, inDim: 5, outDim: 6, dtype, normEps: 1e-5, residual: true },
  ]),
  inputs: {
    x: ({ rows, inDim }) => normal(rows * inDim, 1),
    weight: ({ inDim, outDim, dtype = 'f32' }) =>
      storedWeight('weight', dtype, normal(outDim * inDim, 2, 0.3), [outDim, inDim]),
    gain: ({ inDim }) => normal(inDim, 3, 0.5, 1),
    residual: ({ rows, outDim }) => normal(rows * outDim, 4),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Sums of up to 300 products in f32, each about 6e-8 off; the oracle sees the same f16 weights.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outDim', axes: { weight: 0, residual: 1, out: 1 } },
});
