/** Oracle of `gelu`: v / 2 * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 v^3))). */
export const gelu = (x: ArrayLike<number>): Float64Array =>
  Float64Array.from(
    x,
    (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  );
