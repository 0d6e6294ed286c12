/** Oracles of `ropeCache` and `qkvRopeCache`: rotate q and k, put k and v into the cache. */
import type { QkvRopeCacheParams } from '../../kernels/attention/qkv-rope-cache.ts';
import type { RopeCacheParams } from '../../kernels/attention/rope-cache.ts';
import { linear } from './linear.ts';

/** Index of the first of headDim values in kv [2 (k, v), slots, nKvHead, positions, headDim]. */
export const kvIndex = (
  { slots, nKvHead, positions, headDim }: Omit<RopeCacheParams, 'rows' | 'nHead'>,
  [part, slot, head, position]: readonly [number, number, number, number],
): number => (((part * slots + slot) * nKvHead + head) * positions + position) * headDim;

/**
 * One head, seen as headDim / 2 complex numbers, times the (cos, sin) of a position:
 * (a + b i) (cos + i sin), a and b adjacent.
 */
export function rotate(
  head: ArrayLike<number>,
  rope: ArrayLike<number>,
  position: number,
): Float64Array {
  const headDim = head.length;
  const out = new Float64Array(headDim);
  for (let pair = 0; pair < headDim / 2; pair++) {
    const [a, b] = [head[2 * pair]!, head[2 * pair + 1]!];
    const cos = rope[position * headDim + 2 * pair]!;
    const sin = rope[position * headDim + 2 * pair + 1]!;
    out[2 * pair] = a * cos - b * sin;
    out[2 * pair + 1] = a * sin + b * cos;
  }
  return out;
}

export interface RopeCacheInputs {
  readonly qkv: ArrayLike<number>;
  readonly rope: ArrayLike<number>;
  readonly rowTable: ArrayLike<number>;
  readonly kv: ArrayLike<number>;
}

export interface RopeCacheOutputs {
  readonly kv: Float64Array;
  /** NaN in the rows that stand past the cache. */
  readonly q: Float64Array;
}

export function ropeCache(params: RopeCacheParams, inputs: RopeCacheInputs): RopeCacheOutputs {
  const { rows, nHead, nKvHead, headDim, positions } = params;
  const { rope, rowTable } = inputs;
  const heads = nHead + 2 * nKvHead;
  const qkv = Float64Array.from(inputs.qkv);
  const kv = Float64Array.from(inputs.kv);
  const q = new Float64Array(rows * nHead * headDim).fill(Number.NaN);
  for (let r = 0; r < rows; r++) {
    const slot = rowTable[4 * r]!;
    const position = rowTable[4 * r + 1]!;
    if (position >= positions) continue;
    for (let h = 0; h < heads; h++) {
      const value = qkv.subarray((r * heads + h) * headDim, (r * heads + h + 1) * headDim);
      if (h < nHead) {
        q.set(rotate(value, rope, position), (r * nHead + h) * headDim);
      } else if (h < nHead + nKvHead) {
        const at = kvIndex(params, [0, slot, h - nHead, position]);
        kv.set(rotate(value, rope, position), at);
      } else {
        kv.set(value, kvIndex(params, [1, slot, h - nHead - nKvHead, position]));
      }
    }
  }
  return { kv, q };
}

export interface QkvRopeCacheInputs extends Omit<RopeCacheInputs, 'qkv'> {
  readonly x: ArrayLike<number>;
  readonly gain: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
}

export function qkvRopeCache(
  params: QkvRopeCacheParams,
  inputs: QkvRopeCacheInputs,
): RopeCacheOutputs {
  const { rows, dim, nHead, nKvHead, headDim, normEps } = params;
  const outDim = (nHead + 2 * nKvHead) * headDim;
  const qkv = linear({ rows, inDim: dim, outDim, normEps }, inputs);
  return ropeCache(params, { ...inputs, qkv });
}
