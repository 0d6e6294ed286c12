import { test } from 'vitest';
import { softmaxRows } from '../../kernels/norm/softmax-rows.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/spatial-attention.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS } from '../support/variants.ts';

const device = await testDevice();

test.each([...deviceVariants(device, VARIANTS)])(
  'rows of huge, equal and low values $reduce',
  async (variant) => {
    const params = { rows: 3, length: 4 };
    // Each row but the last is followed by one that is larger.
    const x = Float32Array.of(-1e30, -1e30, -2e30, -1e30, 7, 7, 7, 7, 1e4, 1e4, 9999, -1e4);
    const { out } = await runKernel(device, softmaxRows({ ...params, variant }), { x });
    const tolerance = { nmse: 1e-10, max: 2e-6 };
    expectClose('softmax_rows', out!, oracle.softmaxRows(params, { x }), tolerance);
  },
);
