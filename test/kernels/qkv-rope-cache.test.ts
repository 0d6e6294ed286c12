import { expect, test } from 'vitest';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { qkvRopeCache as record } from '../records/attention/qkv-rope-cache.ts';
import { inputsOf } from '../records/check.ts';
import { testDevice } from '../support/device.ts';
import { rowsAt } from '../support/places.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS } from '../support/variants.ts';

const device = await testDevice();

test.each([...deviceVariants(device, VARIANTS)])(
  'rows past the end leave the cache alone ($reduce)',
  async (variant) => {
    const sizes = { rows: 2, dim: 70, nHead: 4, nKvHead: 2, headDim: 20, slots: 3, positions: 4 };
    const params = { ...sizes, normEps: 0.1, variant };
    const kernel = qkvRopeCache(params);
    const { given } = inputsOf(record, kernel, params);
    const rowTable = rowsAt([1, params.positions, 2, 0xffffffff]);
    const { kv } = await runKernel(device, kernel, { ...given, rowTable });
    expect(kv).toEqual(given.kv);
  },
);
