/** Time of work on the device. */
import type { Memory } from '../../src/gpu/memory.ts';
import { type Encode, type Stopwatch, stopwatch } from '../../src/gpu/stopwatch.ts';

/** Time of one of many equal dispatches, microseconds. */
export interface Sample {
  /** Best and median of the runs. */
  readonly us: number;
  readonly medianUs: number;
  readonly runs: number;
  /** Dispatches in each run's pass. */
  readonly dispatches: number;
}

export interface SampleOptions {
  /** Runs that count; one more comes before. At least 5. */
  readonly runs: number;
  /** A pass has so many dispatches that it takes about this long. */
  readonly leastUs: number;
  /** Most dispatches in a pass. */
  readonly most?: number;
  /** Called before every pass. */
  readonly reset?: () => void;
  /** What a pass of one dispatch took just before. */
  readonly firstUs?: number;
}

export const MIN_RUNS = 5;
const MOST_DISPATCHES = 2000;
/** A dispatch that takes longer runs twice: what disturbs short ones averages out in it. */
const SLOW_US = 1e6;

export class Clock {
  readonly #stopwatch: Stopwatch;

  constructor(memory: Memory) {
    this.#stopwatch = stopwatch(memory);
  }

  /** By timestamps on the device, or, where it has none, by the clock of the host around a submit. */
  get method(): Stopwatch['method'] {
    return this.#stopwatch.method;
  }

  /** Microseconds that the device takes for what `encode` records into one compute pass. */
  pass(encode: Encode): Promise<number> {
    return this.#stopwatch.time(encode);
  }

  /**
   * Times one of many equal dispatches in a pass.
   * @param encode Records dispatch `index`.
   */
  async sample(
    { runs, leastUs, most = MOST_DISPATCHES, reset, firstUs }: SampleOptions,
    encode: (pass: GPUComputePassEncoder, index: number) => void,
  ): Promise<Sample> {
    const time = async (count: number): Promise<number> => {
      reset?.();
      const us = await this.pass((pass) => {
        for (let i = 0; i < count; i++) encode(pass, i);
      });
      return us / count;
    };
    const first = firstUs ?? (await time(1));
    if (first > SLOW_US) {
      const again = await time(1);
      const times = [Math.min(first, again), Math.max(first, again)] as const;
      return { us: times[0], medianUs: (first + again) / 2, runs: 2, dispatches: 1 };
    }
    // The first dispatch may be slow for reasons of its own: look again before choosing how many.
    const warm = first < leastUs ? Math.min(first, await time(Math.min(4, most))) : first;
    const dispatches = Math.max(1, Math.min(most, Math.ceil(leastUs / Math.max(warm, 0.1))));
    const times: number[] = [];
    for (let run = 0; run < Math.max(runs, MIN_RUNS); run++) times.push(await time(dispatches));
    times.sort((a, b) => a - b);
    const us = times[0] ?? Number.NaN;
    const medianUs = times[Math.floor(times.length / 2)] ?? us;
    return { us, medianUs, runs: times.length, dispatches };
  }
}
