import { test } from 'vitest';
import { siluMul } from '../../kernels/product/silu-mul.ts';
import { expectClose } from '../oracle/compare.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

test('a gate far from zero saturates without NaN', async () => {
  const inputs = { gate: [-1000, -100, 0, 100, 1000], up: [1, 2, 3, 4, 5] };
  const { out } = await runKernel(device, siluMul({ rows: 1, hiddenDim: 5 }), inputs);
  expectClose('silu_mul', out!, [0, 0, 0, 400, 5000], { nmse: 1e-13, max: 1e-3 });
});
