/** Repeats a measurement and sums it up. */

/** One quantity over all runs. The first run is apart: caches are cold in it. */
export interface Timing {
  readonly first: number;
  /** Of the other runs. */
  readonly min: number;
  readonly median: number;
  /** How many others there were. */
  readonly runs: number;
}

/** A case is measured at least this long, so that fast ones are repeated often. */
const LEAST_MS = 1000;
const MOST_RUNS = 1000;
/** After a run that takes longer, one more is enough. */
const SLOW_MS = 10_000;

/** The results of a first run, of at least `runs` more, and of as many as fit in one second. */
export async function repeat<T>(runs: number, run: (index: number) => Promise<T>): Promise<T[]> {
  const first = await timed(() => run(0));
  const results = [first.result];
  const started = performance.now();
  while (
    results.length <= (first.ms > SLOW_MS ? 1 : runs) ||
    (performance.now() - started < LEAST_MS && results.length <= MOST_RUNS)
  ) {
    results.push(await run(results.length));
  }
  return results;
}

/** @throws RangeError when there is only a first run, or none. */
export function timing(values: readonly number[]): Timing {
  const [first, ...others] = values;
  const sorted = others.sort((a, b) => a - b);
  const [min] = sorted;
  if (first === undefined || min === undefined) {
    throw new RangeError(`expected at least two runs, got ${values.length}`);
  }
  return { first, min, median: median(sorted), runs: sorted.length };
}

/** Milliseconds that `work` takes, and its result. */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const started = performance.now();
  const result = await work();
  return { ms: performance.now() - started, result };
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  const pair = [sorted[Math.ceil(middle) - 1] ?? 0, sorted[Math.floor(middle)] ?? 0] as const;
  return (pair[0] + pair[1]) / 2;
}
