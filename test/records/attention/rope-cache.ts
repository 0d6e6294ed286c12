import {
  ropeCache as kernel,
  type RopeCacheParams,
} from '../../../kernels/attention/rope-cache.ts';
import { ropeCache as oracle, type RopeCacheInputs } from '../../oracle/rope.ts';
import { anyRope, scatteredRows } from '../../support/places.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';
import { anyCache } from './inputs.ts';

const TOLERANCES = {
  /** Two products and a sum, each rounded to f32. */
  f32: { nmse: 1e-13, max: 2e-6 },
  /** Half precision has 11 bits; WGSL leaves open how pack2x16float rounds: nmse up to 2^-22. */
  f16: { nmse: 2.4e-7, max: 6e-3 },
};

const cases: readonly RopeCacheParams[] = [
  { rows: 1, nHead: 1, nKvHead: 1, headDim: 4, slots: 1, positions: 1 },
  { rows: 3, nHead: 3, nKvHead: 3, headDim: 12, slots: 2, positions: 5 },
  { rows: 17, nHead: 4, nKvHead: 2, headDim: 36, slots: 3, positions: 7 },
  { rows: 33, nHead: 6, nKvHead: 1, headDim: 100, slots: 2, positions: 17 },
];

export const ropeCache: KernelRecord<RopeCacheParams> = record<RopeCacheParams, RopeCacheInputs>({
  name: 'rope_cache',
  kernel,
  shown: { rows: 512, nHead: 12, nKvHead: 12, headDim: 64, slots: 2, positions: 577 },
  suites: (['f32', 'f16'] as const).map((kvDtype) => ({
    cases: cases.map((params) => ({ ...params, kvDtype })),
  })),
  texts: (['f32', 'f16'] as const).map((kvDtype) => ({
    ...{ rows: 5, nHead: 4, slots: 3, nKvHead: 2, positions: 17, headDim: 20, kvDtype },
  })),
  inputs: {
    qkv: ({ rows, nHead, nKvHead, headDim }) => normal(rows * (nHead + 2 * nKvHead) * headDim, 1),
    rope: ({ positions, headDim }) => anyRope(positions, headDim),
    rowTable: ({ rows, slots, positions }) => scatteredRows(rows, slots, positions),
    kv: anyCache(2),
  },
  oracle: (params, inputs) => ({ ...oracle(params, inputs) }),
  tolerance: (output, { kvDtype = 'f32' }) => TOLERANCES[output === 'kv' ? kvDtype : 'f32'],
});
