/** Pearson's test of counts against a distribution. */

/**
 * Probability that counts drawn from `probs` differ at least this much. Bins in which fewer than
 * five draws are expected are taken together; a draw of a token with probability 0 gives 0.
 */
export function chiSquarePValue(counts: ArrayLike<number>, probs: ArrayLike<number>): number {
  const draws = Array.from(counts).reduce((a, b) => a + b, 0);
  const bins: [count: number, expected: number][] = [];
  const rest: [number, number] = [0, 0];
  for (let t = 0; t < probs.length; t++) {
    const [count, expected] = [counts[t]!, probs[t]! * draws];
    if (expected === 0 && count > 0) return 0;
    if (expected >= 5) {
      bins.push([count, expected]);
    } else {
      rest[0] += count;
      rest[1] += expected;
    }
  }
  if (rest[1] > 0) bins.push(rest);
  const statistic = bins.reduce((sum, [count, e]) => sum + (count - e) ** 2 / e, 0);
  return upperTail(statistic, bins.length - 1);
}

/** Wilson and Hilferty 1931: the cube root of chi-square over its degrees is nearly normal. */
function upperTail(statistic: number, degrees: number): number {
  const spread = 2 / (9 * degrees);
  const z = ((statistic / degrees) ** (1 / 3) - (1 - spread)) / Math.sqrt(spread);
  return z < 0 ? 1 - normalTail(-z) : normalTail(z);
}

/** P(N > z) for z >= 0 (Abramowitz and Stegun 26.2.17, absolute error below 7.5e-8). */
function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const poly =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
}
