/** Inputs that kernels of attention over a cache share. */
import type { AttentionParams } from '../../../kernels/attention/attention.ts';
import { scatteredRows } from '../../support/places.ts';
import { normal, uniform } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';

type CacheSizes = Pick<AttentionParams, 'slots' | 'nKvHead' | 'positions' | 'headDim' | 'kvDtype'>;

/** A cache [2 (k, v), slots, nKvHead, positions, headDim] of values that its storage holds exactly. */
export const anyCache =
  (seed: number) =>
  ({ slots, nKvHead, positions, headDim, kvDtype = 'f32' }: CacheSizes): Float32Array =>
    exactIn(kvDtype, normal(2 * slots * nKvHead * positions * headDim, seed));

interface AttentionFills {
  q(params: AttentionParams): Float32Array;
  kv(params: AttentionParams): Float32Array;
  rowTable(params: AttentionParams): Uint32Array;
  firsts(params: AttentionParams): Uint32Array;
}

/** Of the kernels that read the cache. */
export const attentionInputs: AttentionFills = {
  // Large enough that some rows attend to one column almost alone.
  q: ({ rows, nHead, headDim }) => normal(rows * nHead * headDim, 1, 3),
  kv: anyCache(2),
  rowTable: ({ rows, slots, positions }) => scatteredRows(rows, slots, positions),
  // Of some slots nothing is padding, of others rows are padding themselves.
  firsts: ({ slots, positions }) => {
    const next = uniform(9);
    return Uint32Array.from({ length: slots }, (_, slot) =>
      slot % 3 === 1 ? 0 : Math.floor(next() * positions),
    );
  },
};
