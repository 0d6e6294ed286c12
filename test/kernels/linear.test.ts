/** What the cases of test/records/product/linear.ts do not say. */
import { expect, test } from 'vitest';
import { linear } from '../../kernels/product/linear.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, SERIAL_LANES, VARIANTS } from '../support/variants.ts';

const device = await testDevice();

/** Few rows, and as many as the loop of quads takes; a weight of one group for sums with parts. */
test.each([...deviceVariants(device, [...VARIANTS, SERIAL_LANES])])(
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
