/** Oracles of `spatialScores`, `softmaxRows` and `spatialMix`: single-head attention over pixels. */

import type { SpatialMixParams } from '../../kernels/conv/spatial-mix.ts';
import type { SpatialScoresParams } from '../../kernels/conv/spatial-scores.ts';
import type { SoftmaxRowsParams } from '../../kernels/norm/softmax-rows.ts';

/** out[n * P + i, j] = sum_c q[n, c, i] * k[n, c, j] / sqrt(C). */
export function spatialScores(
  { images, channels, height, width }: SpatialScoresParams,
  { q, k }: { readonly q: ArrayLike<number>; readonly k: ArrayLike<number> },
): Float64Array {
  const pixels = height * width;
  const out = new Float64Array(images * pixels * pixels);
  for (let n = 0; n < images; n++) {
    for (let i = 0; i < pixels; i++) {
      for (let j = 0; j < pixels; j++) {
        let sum = 0;
        for (let c = 0; c < channels; c++) {
          const plane = (n * channels + c) * pixels;
          sum += q[plane + i]! * k[plane + j]!;
        }
        out[(n * pixels + i) * pixels + j] = sum / Math.sqrt(channels);
      }
    }
  }
  return out;
}

/** out[r, j] = exp(x[r, j]) / sum_j exp(x[r, j]), shifted by the maximum of the row. */
export function softmaxRows(
  { rows, length }: SoftmaxRowsParams,
  { x }: { readonly x: ArrayLike<number> },
): Float64Array {
  const out = new Float64Array(rows * length);
  for (let r = 0; r < rows; r++) {
    let high = -Infinity;
    for (let j = 0; j < length; j++) high = Math.max(high, x[r * length + j]!);
    let sum = 0;
    for (let j = 0; j < length; j++) sum += Math.exp(x[r * length + j]! - high);
    for (let j = 0; j < length; j++) {
      out[r * length + j] = Math.exp(x[r * length + j]! - high) / sum;
    }
  }
  return out;
}

/** out[n, c, i] = sum_j v[n, c, j] * probs[n * P + i, j]. */
export function spatialMix(
  { images, channels, height, width }: SpatialMixParams,
  { v, probs }: { readonly v: ArrayLike<number>; readonly probs: ArrayLike<number> },
): Float64Array {
  const pixels = height * width;
  const out = new Float64Array(images * channels * pixels);
  for (let n = 0; n < images; n++) {
    for (let c = 0; c < channels; c++) {
      const plane = (n * channels + c) * pixels;
      for (let i = 0; i < pixels; i++) {
        for (let j = 0; j < pixels; j++) {
          out[plane + i]! += v[plane + j]! * probs[(n * pixels + i) * pixels + j]!;
        }
      }
    }
  }
  return out;
}
