/** How many tokens a pass draws, by its window. */

/**
 * Of fruits-96, guidance 2, temperature 1, no top-k, means of three images (`npm run bench -- windows`), 64 of
 * four others; with guidance from 1 to 4, temperatures from 0.5 and top-k from 10 a window of 8 gives 2.4 to
 * 2.7.
 */
const MEASURED: readonly (readonly [window: number, tokens: number])[] = [
  [1, 1],
  [2, 1.35],
  [4, 1.8],
  [8, 2.5],
  [16, 3.5],
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
