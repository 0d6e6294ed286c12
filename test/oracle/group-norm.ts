/** Oracle of `groupNorm`: (x - mean) / sqrt(variance + eps) * weight + bias per group (, swish). */
import type { GroupNormParams } from '../../kernels/norm/group-norm.ts';

export interface GroupNormInputs {
  readonly x: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

export function groupNorm(
  { images, channels, height, width, groups = 32, eps = 1e-6, swish = false }: GroupNormParams,
  { x, weight, bias }: GroupNormInputs,
): Float64Array {
  const plane = height * width;
  const count = (channels / groups) * plane;
  const out = new Float64Array(images * channels * plane);
  for (let g = 0; g < images * groups; g++) {
    let mean = 0;
    for (let i = 0; i < count; i++) mean += x[g * count + i]! / count;
    let variance = 0;
    for (let i = 0; i < count; i++) variance += (x[g * count + i]! - mean) ** 2 / count;
    for (let i = g * count; i < (g + 1) * count; i++) {
      const c = Math.floor(i / plane) % channels;
      const v = ((x[i]! - mean) / Math.sqrt(variance + eps)) * weight[c]! + bias[c]!;
      out[i] = swish ? v / (1 + Math.exp(-v)) : v;
    }
  }
  return out;
}
