/** Runs one program for a number of steps, timed and profiled where that is asked for. */
import type { Memory } from '../gpu/memory.ts';
import type { Profiler } from '../gpu/profiler.ts';
import type { Program } from '../gpu/program.ts';
import { hasTimestamps, MAX_PASSES, Timeline } from '../gpu/timeline.ts';
import type { DeviceWatch } from '../gpu/watch.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  flag,
  integer,
  profiler as profilerCheck,
} from '../options.ts';
import { type FedProgram, Feed } from './feed.ts';
import { countSteps, idleUs } from './pass-clock.ts';

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each chunk with the number of steps done so far in this run. */
  readonly onStep?: ((done: number) => void) | undefined;
  /** Steps in one submit; default grows until a chunk takes about 50 ms. */
  readonly chunk?: number | undefined;
  /** Measure how long the device worked and waited. Needs `timestamp-query`. Default false. */
  readonly timed?: boolean | undefined;
  /** Times the chunks, and every dispatch of a few steps on the way. */
  readonly profiler?: Profiler | undefined;
}

const RUN: Checks<RunOptions> = {
  signal: abortSignal,
  onStep: callback,
  chunk: integer(1),
  timed: flag,
  profiler: profilerCheck,
};

/** What one run took. */
export interface RunStats {
  readonly steps: number;
  /** Submits. */
  readonly chunks: number;
  readonly ms: number;
  /** JavaScript time spent encoding and submitting. */
  readonly encodeMs: number;
  /** Of a run with `timed` on a device with timestamps. */
  readonly device?: {
    /** From the begin of the first chunk to the end of the last. */
    readonly ms: number;
    /** The part of it in which no chunk ran: the device waited for JavaScript. */
    readonly idleMs: number;
  };
}

export interface Runner extends FedProgram {
  readonly memory: Memory;
  readonly watch: Pick<DeviceWatch, 'race'>;
  readonly program: Program;
}

/** Steps of a run that a profiler looks into. */
const PROFILED_STEPS = 4;

/**
 * Runs a program `steps` times.
 * @throws OptionError for an option that is unknown or of another type, DeviceError when the device
 * fails, the signal's reason when aborted.
 */
export async function runSteps(
  runner: Runner,
  steps: number,
  options: RunOptions = {},
): Promise<RunStats> {
  checkValue('steps', steps, integer(0));
  checkOptions('run', options, RUN);
  const { memory, program, pace } = runner;
  const { signal, profiler, timed = profiler !== undefined, onStep } = options;
  const room = Math.min(Math.max(1, steps), MAX_PASSES);
  const isTimed = timed && hasTimestamps(memory.device);
  const timeline = isTimed
    ? await memory.make('timeline', () => new Timeline(memory, room))
    : undefined;
  const encodedMs = pace.encode.ms;
  const started = performance.now();
  const device = { ms: 0, idleMs: 0 };
  let chunks = 0;
  try {
    for (const { first, count, profiled } of parts(steps, profiler ? PROFILED_STEPS : 0)) {
      signal?.throwIfAborted();
      if (profiled) {
        await runner.watch.race(profiler?.run(memory, program, 'token step') ?? Promise.resolve());
        onStep?.(first + 1);
        continue;
      }
      const sizes = await feed(runner, first, count, options, timeline);
      chunks += sizes.length;
      const times = (await timeline?.read()) ?? [];
      profiler?.addPasses(sizes.map(countSteps), times);
      device.ms += ((times.at(-1)?.endUs ?? 0) - (times[0]?.beginUs ?? 0)) / 1000;
      device.idleMs += idleUs(times) / 1000;
    }
  } finally {
    timeline?.destroy();
  }
  const [ms, encodeMs] = [performance.now() - started, pace.encode.ms - encodedMs];
  return { steps, chunks, ms, encodeMs, ...(timeline && { device }) };
}

interface Part {
  readonly first: number;
  readonly count: number;
  /** One step alone, every dispatch timed. */
  readonly profiled: boolean;
}

/** Steps 0 .. steps - 1 with `profiled` of them alone: the middles of as many equal parts. */
export function parts(steps: number, profiled: number): Part[] {
  const many = Math.min(profiled, steps);
  const found: Part[] = [];
  let first = 0;
  for (let i = 0; i < many; i++) {
    const middle = Math.floor(((i + 0.5) * steps) / many);
    if (middle > first) found.push({ first, count: middle - first, profiled: false });
    found.push({ first: middle, count: 1, profiled: true });
    first = middle + 1;
  }
  if (first < steps) found.push({ first, count: steps - first, profiled: false });
  return found;
}

/**
 * Runs steps in chunks, with so many of them queued that the device need not wait for JavaScript.
 * @param before Steps of the run that are done already.
 * @returns The sizes of the chunks.
 */
async function feed(
  runner: Runner,
  before: number,
  steps: number,
  { signal, onStep, chunk, profiler }: RunOptions,
  timeline: Timeline | undefined,
): Promise<number[]> {
  const sizes: number[] = [];
  const fed = new Feed(runner.memory, runner.watch, { chunk, profiler });
  let [submitted, done] = [0, 0];
  while (done < steps) {
    signal?.throwIfAborted();
    while (submitted < steps && !fed.isFed) {
      const size = Math.min(fed.chunkOf(runner.pace), steps - submitted);
      fed.submit(runner, size, { timestampWrites: timeline?.next() });
      sizes.push(size);
      submitted += size;
    }
    done += await fed.settle();
    onStep?.(before + done);
  }
  return sizes;
}
