import { describe, test } from 'vitest';
import type { LinearParams } from '../../kernels/linear.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/linear.ts';
import { testDevice } from '../support/device.ts';
import { roundF16 } from '../support/f16.ts';
import { anyLinear } from '../support/kernel-list.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, F32_VARIANTS, VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();

/** Sums of up to 300 products in f32, each about 6e-8 off; the oracle sees the same f16 weights. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

/** Every number of rows around the tile of 8, every remainder of inDim and outDim by 4. */
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
  { rows: 33, inDim: 70, outDim: 8 },
  { rows: 1, inDim: 70, outDim: 10, residual: true },
  { rows: 9, inDim: 36, outDim: 12, residual: true },
  { rows: 1, inDim: 256, outDim: 12, normEps: 1e-5 },
  { rows: 17, inDim: 70, outDim: 5, normEps: 1e-5 },
  { rows: 3, inDim: 5, outDim: 5, normEps: 0.1 },
  { rows: 5, inDim: 36, outDim: 6, normEps: 1e-5, residual: true },
];

/** f16 differs in how weights are read alone: rows of whole groups of four, of pairs, and odd ones. */
const F16_CASES = cases.filter(({ inDim }) => [5, 36, 70, 7].includes(inDim)).slice(0, 6);
const dtypes = [
  { weightDtype: 'f32', variants: deviceVariants(device, F32_VARIANTS) },
  { weightDtype: 'f16', variants: deviceVariants(device, VARIANTS) },
] as const;

describe.each(dtypes)('$weightDtype', ({ weightDtype, variants }) => {
  for (const variant of variants) {
    for (const params of weightDtype === 'f16' ? F16_CASES : cases) {
      const kernel = anyLinear({ ...params, weightDtype, variant });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const { rows, inDim, outDim, normEps, residual } = params;
        const weight = normal(outDim * inDim, 2, 0.3);
        const inputs = {
          x: normal(rows * inDim, 1),
          weight: weightDtype === 'f16' ? roundF16(weight) : weight,
          ...(normEps !== undefined && { gain: normal(inDim, 3, 0.5, 1) }),
          ...(residual && { residual: normal(rows * outDim, 4) }),
        };
        const { out } = await runKernel(device, kernel, inputs);
        expectClose(kernel.label, out!, oracle.linear(params, inputs), TOLERANCE);
      });
    }
  }
});
