import { describe, expect, test } from 'vitest';
import { type LinearParams, linear } from '../../kernels/product/linear.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/linear.ts';
import { testDevice } from '../support/device.ts';
import { few, fewBarriers } from '../support/few.ts';
import { anyLinear } from '../support/kernel-list.ts';
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

/** Sums of up to 300 products in f32, each about 6e-8 off; the oracle sees the same f16 weights. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

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
 * Other storage differs in how weights are read alone: rows of whole groups of eight, of four, of pairs, and
 * odd ones; for integers also more than one group of 64 or 32, the last one short.
 */
const FEW = cases.filter(({ inDim }) => [5, 36, 70, 7].includes(inDim)).slice(0, 6);
const HALF_CASES: readonly LinearParams[] = [
  ...FEW,
  { rows: 2, inDim: 104, outDim: 9 },
  { rows: 9, inDim: 40, outDim: 6, normEps: 1e-5, residual: true },
];
const QUANT_CASES: readonly LinearParams[] = [
  ...HALF_CASES,
  { rows: 2, inDim: 131, outDim: 9 },
  { rows: 1, inDim: 256, outDim: 5, normEps: 1e-5 },
];
const CASES = {
  f32: cases,
  f16: HALF_CASES,
  bf16: HALF_CASES,
  int8: QUANT_CASES,
  int4: QUANT_CASES,
};

describe.each(MATRIX_DTYPES)('%s', (dtype) => {
  const variants = dtype === 'f16' ? VARIANTS : F32_VARIANTS;
  for (const variant of deviceVariants(device, [...variants, SERIAL_LANES])) {
    const count = dtype === 'f32' ? 5 : 2;
    const all = CASES[dtype];
    // Serial sums with lanes: how weights are read is as without.
    const chosen =
      variant === SERIAL_LANES && dtype !== 'f32' ? few(4, all) : fewBarriers(variant, count, all);
    for (const params of chosen) {
      const kernel = anyLinear({ ...params, dtype, variant });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const { rows, inDim, outDim, normEps, residual } = params;
        const values = normal(outDim * inDim, 2, 0.3);
        const weight = storedWeight('weight', dtype, values, [outDim, inDim]);
        const others = {
          x: normal(rows * inDim, 1),
          ...(normEps !== undefined && { gain: normal(inDim, 3, 0.5, 1) }),
          ...(residual && { residual: normal(rows * outDim, 4) }),
        };
        const { out } = await runKernel(device, kernel, { ...others, ...weight.inputs });
        const expected = oracle.linear(params, { ...others, weight: weight.meant });
        expectClose(kernel.label, out!, expected, TOLERANCE);
      });
    }
  }
});

/** Few rows, and as many as the loop of quads takes; a weight of one group for sums with parts. */
test.each([...deviceVariants(device, [...F32_VARIANTS, SERIAL_LANES])])(
  'rows whose squares overflow are NaN and not zero ($reduce, lanes $lanes)',
  async (variant) => {
    for (const rows of [2, 9]) {
      const params = { rows, inDim: 36, outDim: 5, normEps: 1e-5 };
      const x = normal(rows * 36, 1);
      x[36 + 7] = 1e20; // in row 1
      const inputs = { x, weight: normal(5 * 36, 2), gain: normal(36, 3, 0.5, 1) };
      const { out } = await runKernel(device, linear({ ...params, variant }), inputs);
      const broken = Array.from(out!, (v, i) => [Number.isNaN(v), Math.floor(i / 5) === 1]);
      expect(broken.every(([isNan, isSecond]) => isNan === isSecond)).toBe(true);
    }
  },
);
