/** Numbers that stand for many. */

/** Mean and population standard deviation. */
export function momentsOf(values: Float32Array): [mean: number, std: number] {
  let sum = 0;
  for (const v of values) sum += v;
  const mean = sum / values.length;
  let square = 0;
  for (const v of values) square += (v - mean) ** 2;
  return [mean, Math.sqrt(square / values.length)];
}

export function rangeOf(values: Float32Array): [max: number, min: number] {
  let [max, min] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const v of values) {
    if (v > max) max = v;
    if (v < min) min = v;
  }
  return [max, min];
}

/** The first index of the largest value. */
export const argmax = (values: Float32Array): number => values.indexOf(rangeOf(values)[0]);

/** Best minus second-best value. */
export function margin(row: Float32Array): number {
  let [best, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const v of row) {
    if (v > best) [best, second] = [v, best];
    else if (v > second) second = v;
  }
  return best - second;
}
