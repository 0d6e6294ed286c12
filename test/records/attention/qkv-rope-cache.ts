import {
  qkvRopeCache as kernel,
  type QkvRopeCacheParams,
} from '../../../kernels/attention/qkv-rope-cache.ts';
import { qkvRopeCache as oracle, type QkvRopeCacheInputs } from '../../oracle/rope.ts';
import { anyRope, scatteredRows } from '../../support/places.ts';
import { normal } from '../../support/random.ts';
import { SERIAL_LANES, VARIANTS } from '../../support/variants.ts';
import { MATRIX_DTYPES, storedWeight } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';
import { anyCache } from './inputs.ts';

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

export const qkvRopeCache: KernelRecord<QkvRopeCacheParams> = record<
  QkvRopeCacheParams,
  QkvRopeCacheInputs
>({
  name: 'qkv_rope_cache',
  kernel,
  shown: {
    ...{ rows: 2, dim: 768, nHead: 12, nKvHead: 12, headDim: 64, slots: 2, positions: 577 },
    ...{ normEps: 1e-5, dtype: 'f16' },
  },
  suites: dtypes.map(({ dtype, kvDtype }) => ({
    variants: [...VARIANTS, SERIAL_LANES].filter(
      ({ reduce }) => reduce === 'serial' || dtype === kvDtype,
    ),
    cases: cases.map((params) => ({ ...params, dtype, kvDtype })),
    few: 2,
  })),
  texts: MATRIX_DTYPES.flatMap((dtype) =>
    (['f32', 'f16'] as const).map((kvDtype) => ({
      ...{ slots: 3, nKvHead: 2, positions: 17, headDim: 20, rows: 3, dim: 70, nHead: 4 },
      ...{ normEps: 1e-5, dtype, kvDtype },
    })),
  ),
  inputs: {
    x: ({ rows, dim }) => normal(rows * dim, 1, 2),
    gain: ({ dim }) => normal(dim, 2, 0.5, 1),
    weight: ({ dim, nHead, nKvHead, headDim, dtype = 'f32' }) => {
      const outDim = (nHead + 2 * nKvHead) * headDim;
      return storedWeight('weight', dtype, normal(outDim * dim, 3, 0.3), [outDim, dim]);
    },
    rope: ({ positions, headDim }) => anyRope(positions, headDim),
    rowTable: ({ rows, slots, positions }) => scatteredRows(rows, slots, positions),
    kv: anyCache(4),
  },
  oracle: (params, inputs) => ({ ...oracle(params, inputs) }),
  tolerance: (output, { kvDtype = 'f32' }) => TOLERANCES[output === 'kv' ? kvDtype : 'f32'],
});
