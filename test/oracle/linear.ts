/** Oracle of `linear` and `matmul`: out[r, o] = sum_i norm(x)[r, i] weight[o, i] + residual[r, o]. */
import type { LinearParams } from '../../kernels/product/linear.ts';
import { rmsNorm } from './rms-norm.ts';

export interface LinearInputs {
  readonly x: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
  /** Given when `normEps` is. */
  readonly gain?: ArrayLike<number>;
  readonly residual?: ArrayLike<number>;
}

export function linear(params: LinearParams, inputs: LinearInputs): Float64Array {
  const { rows, inDim, outDim, normEps } = params;
  const { weight, gain, residual } = inputs;
  const x =
    normEps === undefined
      ? inputs.x
      : rmsNorm({ rows, dim: inDim, eps: normEps }, { x: inputs.x, gain: gain! });
  const out = new Float64Array(rows * outDim);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outDim; o++) {
      let sum = residual ? residual[r * outDim + o]! : 0;
      for (let i = 0; i < inDim; i++) sum += x[r * inDim + i]! * weight[o * inDim + i]!;
      out[r * outDim + o] = sum;
    }
  }
  return out;
}
