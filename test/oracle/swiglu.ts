/** Oracle of `swiglu` and `siluMul`: silu(gate) * up, where silu(v) = v / (1 + exp(-v)). */
import type { SwigluParams } from '../../kernels/product/swiglu.ts';
import { linear } from './linear.ts';

export interface SwigluInputs {
  readonly x: ArrayLike<number>;
  readonly gain: ArrayLike<number>;
  readonly w1: ArrayLike<number>;
  readonly w3: ArrayLike<number>;
}

export function swiglu(params: SwigluParams, { x, gain, w1, w3 }: SwigluInputs): Float64Array {
  const { rows, dim, hiddenDim, normEps } = params;
  const product = { rows, inDim: dim, outDim: hiddenDim, normEps };
  return siluMul({
    gate: linear(product, { x, gain, weight: w1 }),
    up: linear(product, { x, gain, weight: w3 }),
  });
}

export function siluMul({
  gate,
  up,
}: {
  readonly gate: ArrayLike<number>;
  readonly up: ArrayLike<number>;
}): Float64Array {
  return Float64Array.from(gate, (v, i) => (v / (1 + Math.exp(-v))) * up[i]!);
}
