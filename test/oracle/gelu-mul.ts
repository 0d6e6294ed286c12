/** Oracle of `geluMul`: gelu(gate) * up. */
import { gelu } from './gelu.ts';

export function geluMul({
  gate,
  up,
}: {
  readonly gate: ArrayLike<number>;
  readonly up: ArrayLike<number>;
}): Float64Array {
  return gelu(gate).map((v, i) => v * up[i]!);
}
