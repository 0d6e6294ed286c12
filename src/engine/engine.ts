/** The engine: requests join and leave a batch at any step, each with the tokens it has alone. */
import { packRows } from '../../kernels/lib/row-table.ts';
import { packSequences } from '../../kernels/sampler/sequence-table.ts';
import { DeviceError } from '../errors.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { checkModel, type Model } from '../load/model.ts';
import {
  abortSignal,
  type Checks,
  checkOptions,
  integer,
  profiler as profilerCheck,
} from '../options.ts';
import type { Engine, EngineOptions, EngineStats, SubmitOptions } from './engine-types.ts';
import { Feed } from './feed.ts';
import { Job } from './job.ts';
import { PassClock } from './pass-clock.ts';
import { Passes, type PassProgram } from './passes.ts';
import { type Placed, type PlannedPass, planPass, rowsNeeded, rowsWanted } from './plan-pass.ts';
import { checkRequest, type EngineEvent, type ImageRequest } from './request.ts';
import { Results } from './results.ts';
import { createSlots, type Slots } from './slots.ts';

const DEFAULT_CAPACITY = 32;
const MAX_CAPACITY = 2 ** 16;
const ENGINE: Checks<EngineOptions> = {
  capacity: integer(1, MAX_CAPACITY),
  profiler: profilerCheck,
};
const SUBMIT: Checks<SubmitOptions> = { signal: abortSignal, index: integer(0) };

/** Steps of an image that a profiler looks into, in the middles of as many equal parts. */
const PROFILED_STEPS = 4;

/**
 * Makes an engine for a model, with memory for its capacity. It is the caller's: destroy it.
 * @throws OptionError for an option that cannot be, DeviceError when the device has no room.
 */
export async function createEngine(model: Model, options: EngineOptions = {}): Promise<Engine> {
  checkModel('createEngine', model);
  checkOptions('createEngine', options, ENGINE);
  const { capacity = DEFAULT_CAPACITY, profiler } = options;
  return new SlotEngine(model, await createSlots(model.gpt, capacity), profiler);
}

class SlotEngine implements Engine {
  readonly #model: Model;
  readonly #slots: Slots;
  readonly #passes: Passes;
  readonly #feed: Feed;
  readonly #results: Results;
  readonly #profiler: Profiler | undefined;
  readonly #clock: PassClock | undefined;
  readonly #free: number[];
  readonly #waiting: Job[] = [];
  /** Those that have tokens to be submitted, by age. */
  readonly #running = new Map<Placed, Job>();
  /** Those whose tokens or pixels are on their way. */
  readonly #finishing = new Set<Job>();
  readonly #whenIdle: (() => void)[] = [];
  #isActive = false;
  #submitted = 0;
  #steps = 0;
  #ended: DeviceError | undefined;

  constructor(model: Model, slots: Slots, profiler: Profiler | undefined) {
    const { memory, watch } = model.gpt;
    this.#model = model;
    this.#slots = slots;
    this.#passes = new Passes(model.gpt, slots);
    this.#feed = new Feed(memory, watch, { profiler });
    this.#results = new Results(model, slots, profiler);
    this.#profiler = profiler;
    this.#clock = profiler && new PassClock(memory, profiler);
    this.#free = Array.from({ length: slots.count }, (_, slot) => slot);
  }

  get capacity(): number {
    return this.#slots.count;
  }

  get jobs(): number {
    return this.#waiting.length + this.#running.size + this.#finishing.size;
  }

  get stats(): EngineStats {
    const device = this.#clock?.device;
    return { steps: this.#steps, ...this.#feed.spent, ...(device && { device: { ...device } }) };
  }

  submit(request: ImageRequest, options: SubmitOptions = {}): AsyncIterableIterator<EngineEvent> {
    checkOptions('submit', options, SUBMIT);
    const { signal, index = this.#submitted } = options;
    const job = new Job(checkRequest(this.#model.config, request, this.capacity), index, signal);
    this.#submitted++;
    if (this.#ended) job.fail(this.#ended);
    else if (signal?.aborted) job.fail(signal.reason);
    else {
      job.events.push({ type: 'queued', ahead: this.#waiting.length });
      this.#waiting.push(job);
      if (!this.#isActive) void this.#work();
    }
    return job.events;
  }

  async prepare(rows: number): Promise<void> {
    await this.#passes.for(rows);
  }

  idle(): Promise<void> {
    if (this.jobs === 0 && !this.#isActive) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  destroy(): void {
    this.#ended ??= new DeviceError('destroyed', 'the engine was destroyed: create another');
    this.#failAll(this.#ended);
    this.#passes.destroy();
    this.#results.destroy();
    this.#clock?.destroy();
    this.#slots.destroy();
  }

  /** Runs passes as long as there is anything to run. */
  async #work(): Promise<void> {
    this.#isActive = true;
    await Promise.resolve(); // those who are submitted together begin together
    try {
      while (!this.#ended) {
        this.#model.gpt.watch.check();
        this.#dropGone();
        this.#admit();
        const isFed = this.#running.size === 0 || this.#feed.isFed;
        if (!isFed) await this.#advance();
        else if (this.#feed.pending > 0) await this.#feed.settle();
        else break;
      }
      await this.#clock?.read();
    } catch (error) {
      this.#failAll(error);
    } finally {
      this.#isActive = false;
    }
    this.#tellIdle();
    if (this.#waiting.length > 0 && !this.#ended) void this.#work();
  }

  /** Takes out what nobody waits for. Passes that are queued still write to its slots, before others do. */
  #dropGone(): void {
    for (const [placed, job] of this.#running) if (job.isGone) this.#release(placed);
    const staying = this.#waiting.filter((job) => !job.isGone);
    this.#waiting.splice(0, this.#waiting.length, ...staying);
  }

  #release(placed: Placed): void {
    this.#running.delete(placed);
    this.#free.push(placed.slot);
    if (placed.uncondSlot !== undefined) this.#free.push(placed.uncondSlot);
    this.#free.sort((a, b) => a - b);
  }

  /** Gives slots to those who wait, in their order. */
  #admit(): void {
    const { blockSize } = this.#model.config.gpt;
    for (;;) {
      const [job] = this.#waiting;
      if (!job || this.#free.length < (job.request.guided ? 2 : 1)) return;
      this.#waiting.shift();
      const { label, sampling, guided, prefix } = job.request;
      const slot = this.#free.shift() ?? 0;
      const uncondSlot = guided ? this.#free.shift() : undefined;
      const placed: Placed = { slot, uncondSlot, label, sampling, position: 0 };
      this.#running.set(placed, job);
      job.events.push({ type: 'started' });
      const line = Uint32Array.from(prefix);
      if (line.length > 0) {
        const write = () => this.#slots.write('tokens', line, slot * blockSize);
        this.#model.gpt.memory.checked('writing given tokens', write).catch((e) => job.fail(e));
      }
      if (line.length === blockSize) {
        this.#release(placed);
        void this.#finish(job, Promise.resolve(line));
      }
    }
  }

  /** Submits the next chunk. */
  async #advance(): Promise<void> {
    const placed = [...this.#running.keys()];
    const wanted = Math.min(rowsWanted(placed), this.capacity);
    const pass = await this.#passes.for(rowsNeeded(placed), wanted);
    if (this.#ended) return;
    const plan = planPass(placed, pass.rows, this.#model.config.gpt.numClasses);
    const { memory, watch } = this.#model.gpt;
    const written = memory.checked('starting the sequences', () => {
      this.#slots.write('rows', packRows(plan.rows, pass.rows));
      this.#slots.write('sequences', packSequences(plan.sequences, pass.rows));
    });
    const steps = plan.repeats ? this.#stepsOf(pass) : 1;
    if (this.#profiler && plan.repeats && this.#isProfiled(placed[0])) {
      while (this.#feed.pending > 0) await this.#feed.settle();
      await watch.race(written);
      await this.#clock?.read();
      await watch.race(this.#profiler.run(memory, pass.program, 'token step'));
      this.#moved(plan, 1)();
    } else {
      // What is read of the steps is queued behind them.
      let tell = (): void => {};
      const timestampWrites = this.#clock?.next(steps);
      this.#feed.submit(pass, steps, { timestampWrites, written, onDone: () => tell() });
      tell = this.#moved(plan, steps);
    }
  }

  /** Steps until a request is full, wants to be looked at, or is profiled; no more than a chunk. */
  #stepsOf({ pace }: PassProgram): number {
    const { blockSize } = this.#model.config.gpt;
    let steps = this.#feed.chunkOf(pace);
    for (const [{ position }, { request }] of this.#running) {
      const ends = [request.previewEvery, request.gridEvery].map((every) =>
        every === undefined ? blockSize : position + every - (position % every),
      );
      steps = Math.min(steps, blockSize - position, ...ends.map((end) => end - position));
    }
    const [oldest] = this.#running.keys();
    if (!this.#profiler || !oldest) return steps;
    const next = this.#profiledSteps().find((step) => step > oldest.position);
    return Math.min(steps, (next ?? blockSize) - oldest.position);
  }

  #profiledSteps(): number[] {
    const { blockSize } = this.#model.config.gpt;
    const share = blockSize / PROFILED_STEPS;
    return Array.from({ length: PROFILED_STEPS }, (_, i) => Math.floor((i + 0.5) * share));
  }

  #isProfiled(placed: Placed | undefined): boolean {
    return placed !== undefined && this.#profiledSteps().includes(placed.position);
  }

  /**
   * Notes that steps were submitted, and queues what is to be read behind them.
   * @returns Tells the requests of it, once the steps are done.
   */
  #moved({ moves }: PlannedPass, steps: number): () => void {
    const { blockSize } = this.#model.config.gpt;
    this.#steps += steps;
    const told: (readonly [Job, number])[] = [];
    for (const [placed, count] of moves) {
      const job = this.#running.get(placed);
      if (!job) continue;
      placed.position += count * steps;
      const done = Math.max(placed.position, placed.sampling.given);
      if (placed.position === blockSize) {
        const read = this.#results.read(placed.slot);
        this.#release(placed);
        void this.#finish(job, read); // which tells of the last ones when they have been looked at
      } else {
        told.push([job, done]);
        if (placed.position >= placed.sampling.given) this.#results.look(job, placed);
      }
    }
    return () => {
      for (const [job, done] of told) job.tellTokens(done, blockSize);
    };
  }

  async #finish(job: Job, read: Promise<Uint32Array<ArrayBuffer>>): Promise<void> {
    this.#finishing.add(job);
    await this.#results.finish(job, read, () => this.jobs === 1);
    this.#finishing.delete(job);
    this.#tellIdle();
    if (!this.#ended) void this.#passes.buildOthers().catch(() => {}); // those there are will do
  }

  #tellIdle(): void {
    if (this.jobs > 0 || this.#isActive) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #failAll(error: unknown): void {
    for (const job of [...this.#waiting, ...this.#running.values(), ...this.#finishing]) {
      job.fail(error);
    }
    for (const placed of [...this.#running.keys()]) this.#release(placed);
    this.#waiting.length = 0;
    this.#feed.drop();
  }
}
