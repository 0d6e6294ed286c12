/** Oracle of `rmsNorm`: out[r, i] = x[r, i] / sqrt(mean_i(x[r, i]^2) + eps) * gain[i]. */
import type { RmsNormParams } from '../../kernels/norm/rms-norm.ts';

export function rmsNorm(
  { rows, dim, eps = 1e-5 }: RmsNormParams,
  { x, gain }: { readonly x: ArrayLike<number>; readonly gain: ArrayLike<number> },
): Float64Array {
  const out = new Float64Array(rows * dim);
  for (let r = 0; r < rows; r++) {
    let square = 0;
    for (let i = 0; i < dim; i++) square += x[r * dim + i]! ** 2;
    const root = Math.sqrt(square / dim + eps);
    for (let i = 0; i < dim; i++) out[r * dim + i] = (x[r * dim + i]! / root) * gain[i]!;
  }
  return out;
}
