import { expect, test } from 'vitest';
import { type QkvRopeCacheParams, qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/rope.ts';
import { testDevice } from '../support/device.ts';
import { roundF16 } from '../support/f16.ts';
import { fewBarriers } from '../support/few.ts';
import { anyRope, rowsAt, scatteredRows } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, SERIAL_LANES, VARIANTS, variantName } from '../support/variants.ts';
import { storedWeight } from '../support/weights.ts';

const device = await testDevice();

const TOLERANCES = {
  /** f32 sums of up to 256 products, then a rotation. */
  f32: { nmse: 1e-11, max: 1e-4 },
  /** The f16 cache keeps 11 bits of values up to about 20. */
  f16: { nmse: 2.4e-7, max: 2e-2 },
};

const cases: readonly QkvRopeCacheParams[] = [
  { rows: 1, dim: 4, nHead: 1, nKvHead: 1, headDim: 4, slots: 1, positions: 2, normEps: 1e-5 },
  { rows: 2, dim: 36, nHead: 3, nKvHead: 3, headDim: 12, slots: 2, positions: 5, normEps: 1e-5 },
  { rows: 5, dim: 70, nHead: 4, nKvHead: 2, headDim: 20, slots: 3, positions: 4, normEps: 0.1 },
  { rows: 9, dim: 100, nHead: 4, nKvHead: 1, headDim: 36, slots: 2, positions: 9, normEps: 1e-5 },
  { rows: 17, dim: 256, nHead: 2, nKvHead: 2, headDim: 8, slots: 6, positions: 3, normEps: 1e-5 },
];

/** Both dtypes of weights and cache; where the two differ, one variant will do. */
const dtypes = [
  { dtype: 'f32', kvDtype: 'f32' },
  { dtype: 'f16', kvDtype: 'f16' },
  { dtype: 'f32', kvDtype: 'f16' },
  { dtype: 'bf16', kvDtype: 'f32' },
  { dtype: 'int8', kvDtype: 'f32' },
  { dtype: 'int4', kvDtype: 'f32' },
] as const;

function data({ dtype = 'f32', kvDtype, ...params }: QkvRopeCacheParams) {
  const { rows, dim, nHead, nKvHead, headDim, slots, positions } = params;
  const outDim = (nHead + 2 * nKvHead) * headDim;
  const values = normal(outDim * dim, 3, 0.3);
  const { inputs, meant } = storedWeight('weight', dtype, values, [outDim, dim]);
  const kv = normal(2 * slots * nKvHead * positions * headDim, 4);
  const others = {
    x: normal(rows * dim, 1, 2),
    gain: normal(dim, 2, 0.5, 1),
    rope: anyRope(positions, headDim),
    rowTable: scatteredRows(rows, slots, positions),
    kv: kvDtype === 'f16' ? roundF16(kv) : kv,
  };
  return { inputs: { ...others, ...inputs }, meant: { ...others, weight: meant } };
}

for (const { dtype, kvDtype } of dtypes) {
  for (const variant of deviceVariants(device, [...VARIANTS, SERIAL_LANES])) {
    if (variant.f16 && dtype !== 'f16') continue;
    if (variant.reduce !== 'serial' && dtype !== kvDtype) continue;
    for (const sizes of fewBarriers(variant, 2, cases)) {
      const params = { ...sizes, dtype, kvDtype };
      const kernel = qkvRopeCache({ ...params, variant });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const { inputs, meant } = data(params);
        const { q, kv } = await runKernel(device, kernel, inputs);
        const expected = oracle.qkvRopeCache(params, meant);
        expectClose('q', q!, expected.q, TOLERANCES.f32);
        expectClose('kv', kv!, expected.kv, TOLERANCES[kvDtype]);
      });
    }
  }
}

test.each([...deviceVariants(device, VARIANTS)])(
  'rows past the end leave the cache alone ($reduce, native f16: $f16)',
  async (variant) => {
    const params = { ...cases[2]!, rows: 2, variant };
    const inputs = {
      ...data(params).inputs,
      rowTable: rowsAt([1, params.positions, 2, 0xffffffff]),
    };
    const { kv } = await runKernel(device, qkvRopeCache(params), inputs);
    expect(kv).toEqual(inputs.kv);
  },
);
