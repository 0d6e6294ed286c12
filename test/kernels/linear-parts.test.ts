import { expect, test } from 'vitest';
import { type LinearPartsParams, linearParts } from '../../kernels/product/linear-parts.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import { expectClose } from '../oracle/compare.ts';
import { linear } from '../oracle/linear.ts';
import * as oracle from '../oracle/linear-parts.ts';
import { testDevice } from '../support/device.ts';
import { fewBarriers } from '../support/few.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, F32_VARIANTS, SERIAL_LANES, variantName } from '../support/variants.ts';
import { storedWeight } from '../support/weights.ts';

const device = await testDevice();

/** As for `linear`. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

/** Parts of different sizes, one with nothing to sum, storage read by fours and by eights. */
const cases: readonly LinearPartsParams[] = [
  { rows: 1, inDim: 36, outDim: 7, split: 2 },
  { rows: 3, inDim: 70, outDim: 10, split: 4 },
  { rows: 2, inDim: 9, outDim: 4, split: 5 },
  { rows: 17, inDim: 104, outDim: 12, split: 3, dtype: 'bf16' },
  { rows: 9, inDim: 131, outDim: 9, split: 2, dtype: 'int8' },
  { rows: 2, inDim: 256, outDim: 5, split: 16, dtype: 'int4' },
];

function inputsOf({ rows, inDim, outDim, dtype = 'f32' }: LinearPartsParams) {
  const stored = storedWeight('weight', dtype, normal(outDim * inDim, 2, 0.3), [outDim, inDim]);
  return { x: normal(rows * inDim, 1), stored };
}

for (const variant of deviceVariants(device, [...F32_VARIANTS, SERIAL_LANES])) {
  for (const params of fewBarriers(variant, 2, cases)) {
    const kernel = linearParts({ ...params, variant });
    test(`${kernel.label} ${variantName(variant)}`, async () => {
      const { x, stored } = inputsOf(params);
      const { out } = await runKernel(device, kernel, { x, ...stored.inputs });
      const expected = oracle.linearParts(params, { x, weight: stored.meant });
      expectClose(kernel.label, out!, expected, TOLERANCE);
    });
  }
}

test.each([
  { parts: 2, rows: 1, dim: 4 },
  { parts: 3, rows: 5, dim: 70 },
  { parts: 16, rows: 2, dim: 9 },
])('sum_rows %o', async ({ parts, rows, dim }) => {
  const x = normal(parts * rows * dim, 1);
  const residual = normal(rows * dim, 2);
  const { out } = await runKernel(device, sumRows({ parts, rows, dim }), { x, residual });
  // In order, in f32: the same bits.
  const expected = residual.map((r, i) => {
    let sum = x[i]!;
    for (let p = 1; p < parts; p++) sum = Math.fround(sum + x[p * rows * dim + i]!);
    return sum + r;
  });
  expect(out).toEqual(expected);
});

test('the parts together are the product', async () => {
  const params: LinearPartsParams = { rows: 3, inDim: 70, outDim: 10, split: 4 };
  const { x, stored } = inputsOf(params);
  const residual = normal(30, 3);
  const parts = await runKernel(device, linearParts(params), { x, ...stored.inputs });
  const sum = sumRows({ parts: 4, rows: 3, dim: 10 });
  const { out } = await runKernel(device, sum, { x: parts.out!, residual });
  const expected = linear(params, { x, weight: stored.meant, residual });
  expectClose('sum', out!, expected, TOLERANCE);
});
