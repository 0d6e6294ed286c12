import { describe, test } from 'vitest';
import { siluMul, swiglu } from '../../kernels/product/swiglu.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/swiglu.ts';
import { testDevice } from '../support/device.ts';
import { fewBarriers } from '../support/few.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import {
  deviceVariants,
  F32_VARIANTS,
  SERIAL_LANES,
  VARIANTS,
  variantName,
} from '../support/variants.ts';
import { MATRIX_DTYPES, storedWeight } from '../support/weights.ts';

const device = await testDevice();

/** Products of two f32 sums and an exponential that WGSL allows a few units in the last place. */
const TOLERANCE = { nmse: 1e-11, max: 2e-4 };

const cases = [
  { rows: 1, dim: 4, hiddenDim: 4, normEps: 1e-5 },
  { rows: 2, dim: 36, hiddenDim: 100, normEps: 1e-5 },
  { rows: 3, dim: 5, hiddenDim: 7, normEps: 1e-5 },
  { rows: 5, dim: 70, hiddenDim: 33, normEps: 0.5 },
  { rows: 8, dim: 100, hiddenDim: 256, normEps: 1e-5 },
  { rows: 9, dim: 256, hiddenDim: 6, normEps: 1e-5 },
  { rows: 17, dim: 70, hiddenDim: 12, normEps: 1e-5 },
  { rows: 33, dim: 36, hiddenDim: 5, normEps: 1e-5 },
];

describe.each(MATRIX_DTYPES)('%s', (dtype) => {
  const variants = dtype === 'f16' ? VARIANTS : F32_VARIANTS;
  for (const variant of deviceVariants(device, [...variants, SERIAL_LANES])) {
    // Other storage differs in how weights are read alone: whole groups of four, and not.
    const all = dtype === 'f32' ? cases : cases.slice(1, 5);
    for (const params of fewBarriers(variant, dtype === 'f32' ? 2 : 1, all)) {
      const kernel = swiglu({ ...params, dtype, variant });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const { rows, dim, hiddenDim } = params;
        const stored = (name: string, seed: number) =>
          storedWeight(name, dtype, normal(hiddenDim * dim, seed, 0.3), [hiddenDim, dim]);
        const [w1, w3] = [stored('w1', 3), stored('w3', 4)];
        const others = { x: normal(rows * dim, 1, 2), gain: normal(dim, 2, 0.5, 1) };
        const inputs = { ...others, ...w1.inputs, ...w3.inputs };
        const { out } = await runKernel(device, kernel, inputs);
        const expected = oracle.swiglu(params, { ...others, w1: w1.meant, w3: w3.meant });
        expectClose(kernel.label, out!, expected, TOLERANCE);
      });
    }
  }
});

describe('siluMul', () => {
  for (const params of [
    { rows: 1, hiddenDim: 4 },
    { rows: 3, hiddenDim: 5 },
    { rows: 33, hiddenDim: 70 },
    { rows: 9, hiddenDim: 256 },
  ]) {
    const kernel = siluMul(params);
    test(kernel.label, async () => {
      const n = params.rows * params.hiddenDim;
      const inputs = { gate: normal(n, 1, 4), up: normal(n, 2) };
      const { out } = await runKernel(device, kernel, inputs);
      expectClose(kernel.label, out!, oracle.siluMul(inputs), TOLERANCE);
    });
  }

  test('a gate far from zero saturates without NaN', async () => {
    const inputs = { gate: [-1000, -100, 0, 100, 1000], up: [1, 2, 3, 4, 5] };
    const { out } = await runKernel(device, siluMul({ rows: 1, hiddenDim: 5 }), inputs);
    expectClose('silu_mul', out!, [0, 0, 0, 400, 5000], { nmse: 1e-13, max: 1e-3 });
  });
});
