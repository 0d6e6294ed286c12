import { describe, expect, test } from 'vitest';
import { type MatmulParams, matmul } from '../../kernels/product/matmul.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/linear.ts';
import { testDevice } from '../support/device.ts';
import { fewBarriers } from '../support/few.ts';
import { anyMatmul } from '../support/kernel-list.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS, variantName } from '../support/variants.ts';
import { MATRIX_DTYPES, storedWeight } from '../support/weights.ts';

const device = await testDevice();

/** As for `linear`: f32 sums of up to 150 products. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

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

describe.each(MATRIX_DTYPES)('%s', (dtype) => {
  for (const variant of deviceVariants(device, VARIANTS)) {
    // The tiles use no subgroup operation, and f32 weights no halves: the same text again.
    if (variant.reduce === 'subgroup' || (variant.f16 && dtype !== 'f16')) continue;
    // Other storage differs in how weights are read alone.
    const all = dtype === 'f32' ? cases : cases.slice(3, 5);
    for (const params of fewBarriers(variant, 3, all)) {
      const kernel = anyMatmul({ ...params, dtype, variant });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const { rows, inDim, outDim, residual } = params;
        const values = normal(outDim * inDim, 2, 0.3);
        const weight = storedWeight('weight', dtype, values, [outDim, inDim]);
        const others = {
          x: normal(rows * inDim, 1),
          ...(residual && { residual: normal(rows * outDim, 4) }),
        };
        const { out } = await runKernel(device, kernel, { ...others, ...weight.inputs });
        const expected = oracle.linear(params, { ...others, weight: weight.meant });
        expectClose(kernel.label, out!, expected, TOLERANCE);
      });
    }
  }
});

test('the subgroup variant is the workgroup variant', () => {
  const params = { rows: 65, inDim: 32, outDim: 68 };
  const [subgroup, workgroup] = (['subgroup', 'workgroup'] as const).map((reduce) =>
    matmul({ ...params, variant: { reduce, f16: false } }),
  );
  expect(subgroup).toEqual(workgroup);
});
