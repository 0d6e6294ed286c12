/** Oracle of `sumRows`: out[r, i] = x[0, r, i] + x[1, r, i] + .. + residual[r, i], rounded to f32 in this order. */
import type { SumRowsParams } from '../../kernels/product/sum-rows.ts';

export interface SumRowsInputs {
  readonly x: ArrayLike<number>;
  readonly residual: ArrayLike<number>;
}

export function sumRows(
  { parts, rows, dim }: SumRowsParams,
  { x, residual }: SumRowsInputs,
): Float32Array {
  return Float32Array.from(residual, (r, i) => {
    let sum = x[i]!;
    for (let p = 1; p < parts; p++) sum = Math.fround(sum + x[p * rows * dim + i]!);
    return sum + r;
  });
}
