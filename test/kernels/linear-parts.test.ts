import { test } from 'vitest';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import { expectClose } from '../oracle/compare.ts';
import { linear } from '../oracle/linear.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

test('the parts together are the product', async () => {
  const params = { rows: 3, inDim: 70, outDim: 10, split: 4 };
  const [x, weight, residual] = [normal(210, 1), normal(700, 2, 0.3), normal(30, 3)];
  const parts = await runKernel(device, linearParts(params), { x, weight });
  const sum = sumRows({ parts: 4, rows: 3, dim: 10 });
  const { out } = await runKernel(device, sum, { x: parts.out!, residual });
  // As for `linear`.
  const tolerance = { nmse: 1e-11, max: 1e-4 };
  expectClose('sum', out!, linear(params, { x, weight, residual }), tolerance);
});
