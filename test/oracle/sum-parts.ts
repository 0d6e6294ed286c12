/** Oracle of `sumParts`: out[n, c, y, x] = sum_p x[p, n, c, y, x] + bias[c] (+ residual[n, c, y, x]). */
import type { SumPartsParams } from '../../kernels/conv/sum-parts.ts';

export interface SumPartsInputs {
  readonly x: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly residual?: ArrayLike<number>;
}

export function sumParts(
  { parts, images, channels, height, width }: SumPartsParams,
  { x, bias, residual }: SumPartsInputs,
): Float64Array {
  const plane = height * width;
  const count = images * channels * plane;
  return Float64Array.from({ length: count }, (_, i) => {
    let sum = bias[Math.floor(i / plane) % channels]! + (residual ? residual[i]! : 0);
    for (let p = 0; p < parts; p++) sum += x[p * count + i]!;
    return sum;
  });
}
