/** Time of one of many equal dispatches, whatever the device did before. */
import type { Stopwatch } from './stopwatch.ts';

/** Microseconds of one dispatch: the best and the median of the passes that count. */
export interface Sample {
  readonly us: number;
  readonly medianUs: number;
  /** Passes that count, and dispatches in each. */
  readonly runs: number;
  readonly dispatches: number;
}

export interface SampleOptions {
  readonly runs: number;
  /** A pass has so many dispatches that it takes about this long: starting it does not count. */
  readonly leastUs: number;
  /** Work before the first pass that counts, by the time it takes; see `warmUsOf`. */
  readonly warmUs: number;
  /** Most dispatches in a pass. */
  readonly most?: number | undefined;
}

/** A dispatch that takes longer runs twice: what disturbs short ones averages out in it. */
const SLOW_US = 1e6;
const MOST_DISPATCHES = 2000;
/** A pass that keeps a device busy is about as long. */
const BUSY_PASS_US = 5000;
/** Passes before those that count: some clocks stand still for a short one. */
const MOST_LOOKS = 100;

/**
 * A GPU that had nothing to do works at a fraction of its clock for its first tens of milliseconds
 * (345 of 1980 MHz on an idle H200), so it is kept busy for longer than that before anything counts.
 */
export const warmUsOf = (software: boolean): number => (software ? 0 : 100_000);

/** Repeats work until the device was busy for so long. */
export async function keepBusy(
  watch: Stopwatch,
  warmUs: number,
  encode: (pass: GPUComputePassEncoder) => void,
): Promise<void> {
  for (let busy = 0, count = 1, look = 0; busy < warmUs && look < MOST_LOOKS; look++) {
    const us = await watch.time((pass) => {
      for (let i = 0; i < count; i++) encode(pass);
    });
    busy += us;
    // Between short passes the device would wait for JavaScript again.
    if (us < BUSY_PASS_US) count = Math.min(2 * count, MOST_DISPATCHES);
  }
}

/** @param encode Records dispatch `index`. */
export async function sample(
  watch: Stopwatch,
  { runs, leastUs, warmUs, most = MOST_DISPATCHES }: SampleOptions,
  encode: (pass: GPUComputePassEncoder, index: number) => void,
): Promise<Sample> {
  const time = async (count: number): Promise<number> => {
    const us = await watch.time((pass) => {
      for (let i = 0; i < count; i++) encode(pass, i);
    });
    return us / count;
  };
  const times = [await time(1)];
  const [first = 0] = times;
  let dispatches = 1;
  if (first > SLOW_US) times.push(await time(1));
  else {
    // Once more in any case: the first dispatch may be slow for reasons of its own.
    for (let busy = first, us = first, look = 0; look < MOST_LOOKS; look++) {
      dispatches = Math.max(1, Math.min(most, Math.ceil(leastUs / Math.max(us, 0.1))));
      us = await time(dispatches);
      busy += us * dispatches;
      const enough = us * dispatches >= leastUs / 2 || dispatches === most;
      if (busy >= warmUs && enough) break;
    }
    times.length = 0;
    for (let run = 0; run < runs; run++) times.push(await time(dispatches));
  }
  times.sort((a, b) => a - b);
  const [us = Number.NaN] = times;
  const medianUs = times[Math.floor(times.length / 2)] ?? us;
  return { us, medianUs, runs: times.length, dispatches };
}
