/** Keeps the device fed: chunks of steps, encoded while the device works on those before. */
import type { Memory } from '../gpu/memory.ts';
import type { Profiler } from '../gpu/profiler.ts';
import type { Program } from '../gpu/program.ts';
import type { DeviceWatch } from '../gpu/watch.ts';

/** What is remembered of a program from run to run. */
export interface Pace {
  /** Of the last run; undefined before the first chunk. */
  msPerStep: number | undefined;
  /** JavaScript time spent encoding and submitting. */
  readonly encode: { ms: number; steps: number };
}

export interface FedProgram {
  readonly program: Pick<Program, 'run'>;
  readonly pace: Pace;
}

export interface FeedOptions {
  /** Steps in one submit; default grows until a chunk takes about 50 ms. */
  readonly chunk?: number | undefined;
  /** What is queued, in milliseconds, in chunks of half as many. Default 100. */
  readonly aheadMs?: number | undefined;
  readonly profiler?: Profiler | undefined;
}

/** What goes with a submit. */
export interface SubmittedSteps {
  readonly timestampWrites?: GPUComputePassTimestampWrites | undefined;
  /** When the device has accepted what was written for them. */
  readonly written?: Promise<unknown> | undefined;
  /** Called once they are submitted: queues what is to be read behind them. */
  readonly behind?: (() => Promise<() => void>) | undefined;
}

/**
 * Browsers tell that work is done up to 15 ms late: so much is queued besides, at least two chunks. Stopping
 * takes a chunk, and encoding one should not hold a page up: 333 fast steps take 20 ms.
 */
const AHEAD_MS = 100;
const MAX_CHUNK = 1024;
/** Chunks under way at once: what is read behind each needs a buffer until it has come. */
export const MOST_PENDING = 8;
/** From chunk to chunk: the first ones look slow, because waiting for them counts. */
const GROWTH = 8;

interface Chunk {
  readonly size: number;
  readonly pace: Pace;
  /** Nothing was queued before it. */
  readonly isFirst: boolean;
  readonly submittedAt: number;
  /** Gives what the `settle` calls that hears of it. */
  readonly done: Promise<() => void>;
}

export class Feed {
  readonly #memory: Memory;
  readonly #watch: Pick<DeviceWatch, 'race'>;
  readonly #options: FeedOptions;
  readonly #aheadMs: number;
  readonly #pending: Chunk[] = [];
  /** What the last chunks have in common: since when they run, and how many steps are done. */
  #streak: { readonly pace: Pace | undefined; readonly since: number; steps: number } = {
    pace: undefined,
    since: 0,
    steps: 0,
  };
  #settledAt = 0;
  #most = MAX_CHUNK;
  /** Submits so far, and JavaScript time spent on them. */
  readonly spent: { chunks: number; encodeMs: number } = { chunks: 0, encodeMs: 0 };

  constructor(memory: Memory, watch: Pick<DeviceWatch, 'race'>, options: FeedOptions = {}) {
    this.#memory = memory;
    this.#watch = watch;
    this.#options = options;
    this.#aheadMs = options.aheadMs ?? AHEAD_MS;
  }

  /** Chunks that the device has not finished, as far as is known. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Whether so much is queued that the device need not wait. */
  get isFed(): boolean {
    if (this.#pending.length < 2) return false;
    if (this.#options.chunk !== undefined || this.#pending.length >= MOST_PENDING) return true;
    const ahead = this.#pending.reduce(
      (ms, { size, pace }) => ms + size * (pace.msPerStep ?? this.#aheadMs),
      0,
    );
    return ahead >= this.#aheadMs;
  }

  /** Steps that the next chunk of a program should have. */
  chunkOf({ msPerStep }: Pace): number {
    if (this.#options.chunk !== undefined) return this.#options.chunk;
    if (msPerStep === undefined) return 1;
    return Math.max(1, Math.min(Math.round(this.#aheadMs / 2 / msPerStep), this.#most));
  }

  /** Encodes and submits steps of a program. */
  submit({ program, pace }: FedProgram, size: number, options: SubmittedSteps = {}): void {
    const { timestampWrites, written, behind = async () => () => {} } = options;
    const { device } = this.#memory;
    const endEncode = this.#options.profiler?.begin('encode');
    const submittedAt = performance.now();
    const accepted = program.run(size, timestampWrites);
    const encodeMs = performance.now() - submittedAt;
    pace.encode.ms += encodeMs;
    pace.encode.steps += size;
    endEncode?.();
    const parts = [behind(), written, accepted, device.queue.onSubmittedWorkDone()] as const;
    const done = Promise.all(parts).then(([tell]) => tell);
    done.catch(() => {}); // told by the race in `settle`, unless the run ends before
    const isFirst = this.#pending.length === 0;
    this.#pending.push({ size, pace, isFirst, submittedAt, done });
    this.spent.chunks++;
    this.spent.encodeMs += encodeMs;
  }

  /**
   * Waits for the oldest chunk.
   * @returns Its steps; 0 when nothing is queued.
   * @throws DeviceError when the device fails.
   */
  async settle(): Promise<number> {
    const oldest = this.#pending[0];
    if (!oldest) return 0;
    const endWait = this.#options.profiler?.begin('wait');
    const tell = await this.#watch.race(oldest.done);
    endWait?.();
    if (this.#pending[0] !== oldest) return 0; // dropped meanwhile
    this.#pending.shift();
    const { size, pace, isFirst, submittedAt } = oldest;
    if (isFirst || pace !== this.#streak.pace) {
      const since = isFirst ? submittedAt : this.#settledAt;
      this.#streak = { pace, since, steps: 0 };
    }
    this.#settledAt = performance.now();
    this.#streak.steps += size;
    // All of them and not the last chunk: several may be heard of at once.
    pace.msPerStep = (this.#settledAt - this.#streak.since) / this.#streak.steps;
    const latest = this.#pending.at(-1)?.size ?? size;
    this.#most = Math.min(MAX_CHUNK, Math.max(latest, size) * GROWTH);
    tell();
    return size;
  }

  /** Forgets what is queued, as after a failure. */
  drop(): void {
    this.#pending.length = 0;
  }
}
