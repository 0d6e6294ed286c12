/** Oracle of `linearParts`: out[p, r, o] = sum over part p of x[r, i] weight[o, i]. */
import { loadWidth } from '../../kernels/lib/weights.ts';
import type { LinearPartsParams } from '../../kernels/product/linear-parts.ts';
import { linear } from './linear.ts';

export interface LinearPartsInputs {
  readonly x: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
}

/** Parts have as many whole loads of the weight as the first; the last may have fewer, or none. */
export function linearParts(
  { rows, inDim, outDim, split, dtype = 'f32' }: LinearPartsParams,
  { x, weight }: LinearPartsInputs,
): Float64Array {
  const width = loadWidth(dtype, inDim);
  const size = Math.ceil(Math.ceil(inDim / width) / split) * width;
  const out = new Float64Array(split * rows * outDim);
  for (let p = 0; p < split; p++) {
    const within = Float64Array.from(x, (v, i) => (Math.floor((i % inDim) / size) === p ? v : 0));
    out.set(linear({ rows, inDim, outDim }, { x: within, weight }), p * rows * outDim);
  }
  return out;
}
