/** How many tokens a pass draws, by its window. */

/**
 * Of fruits-96, guidance 2, temperature 1, no top-k, means of 3 or 4 images; at a window of 16 other
 * guidance gives 2.9 to 3.9, and top-k 100 the same.
 */
const MEASURED: readonly (readonly [window: number, tokens: number])[] = [
  [1, 1],
  [2, 1.5],
  [4, 1.9],
  [8, 2.6],
  [16, 3.6],
  [64, 4.7],
];

/** Tokens that a pass is expected to draw from so many positions of a sequence. */
export function tokensAPass(window: number): number {
  const above = MEASURED.findIndex(([size]) => size >= window);
  const [high, most] = MEASURED.at(above) ?? [1, 1];
  const [low, least] = MEASURED.at(Math.max(0, above - 1)) ?? [1, 1];
  if (high === low || above < 0) return most;
  // Evenly over doublings, as the figures are.
  return least + (most - least) * (Math.log2(window / low) / Math.log2(high / low));
}
