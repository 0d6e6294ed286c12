/** The engine: requests join and leave a batch at any step, each with the tokens it has alone. */
import { packRows } from '../../kernels/lib/row-table.ts';
import { packSequences } from '../../kernels/sampler/sequence-table.ts';
import { packWindows } from '../../kernels/sampler/window-table.ts';
import { DeviceError } from '../errors.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { checkModel, type Model } from '../load/model.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import { noCondition } from '../models/gpt.ts';
import { checkOptions } from '../options.ts';
import { MOST_ROWS } from './best-window.ts';
import { chunkSize } from './chunk-size.ts';
import {
  ENGINE,
  type Engine,
  type EngineOptions,
  type EngineStats,
  SUBMIT,
  type SubmitOptions,
} from './engine-types.ts';
import { Feed } from './feed.ts';
import { Job } from './job.ts';
import { countSteps, PassClock } from './pass-clock.ts';
import { Passes, type PassProgram } from './passes.ts';
import type { Placed } from './placed.ts';
import { type PlannedPass, planPass, rowsNeeded, rowsOfWindows, rowsWanted } from './plan-pass.ts';
import type { Prefill } from './prefill.ts';
import { checkRequest, type EngineEvent, type ImageRequest } from './request.ts';
import { Results } from './results.ts';
import { Running, type Tokens } from './running.ts';
import { createSlots, type Slots } from './slots.ts';

const DEFAULT_CAPACITY = 32;

/** Steps of an image that a profiler looks into, in the middles of as many equal parts. */
const PROFILED_STEPS = 4;

/**
 * Makes an engine for a model, with memory for its capacity. It is the caller's: destroy it.
 * @throws OptionError for an option that cannot be, DeviceError when the device has no room.
 */
export async function createEngine(model: Model, options: EngineOptions = {}): Promise<Engine> {
  checkModel('createEngine', model);
  checkOptions('createEngine', options, ENGINE);
  const { capacity = DEFAULT_CAPACITY, rows = MOST_ROWS, profiler } = options;
  // What puts captions into slots, where there are any: code that models of classes do not load.
  const isText = model.config.gpt.modelType === 't2i';
  const { Prefill } = isText ? await import('./prefill.ts') : { Prefill: undefined };
  const slots = await createSlots(model.gpt, capacity, Math.max(capacity, rows));
  return new SlotEngine(model, slots, Prefill && new Prefill(model.gpt, slots), profiler);
}

class SlotEngine implements Engine {
  readonly #model: Model;
  readonly #slots: Slots;
  readonly #passes: Passes;
  readonly #prefill: Prefill | undefined;
  readonly #feed: Feed;
  readonly #results: Results;
  readonly #profiler: Profiler | undefined;
  readonly #clock: PassClock | undefined;
  readonly #waiting: Job[] = [];
  /** Those that have tokens to be submitted. */
  readonly #running: Running;
  /** Those whose tokens or pixels are on their way. */
  readonly #finishing = new Set<Job>();
  readonly #whenIdle: (() => void)[] = [];
  #isActive = false;
  #submitted = 0;
  #steps = 0;
  #ended: DeviceError | undefined;

  constructor(
    model: Model,
    slots: Slots,
    prefill: Prefill | undefined,
    profiler: Profiler | undefined,
  ) {
    const { memory, watch } = model.gpt;
    this.#model = model;
    this.#slots = slots;
    this.#passes = new Passes(model.gpt, slots);
    this.#prefill = prefill;
    this.#feed = new Feed(memory, watch, { profiler });
    this.#results = new Results(model, slots, profiler);
    this.#profiler = profiler;
    this.#clock = profiler && new PassClock(memory, profiler);
    this.#running = new Running(model, slots, this.#results, (job, tokens, passes) => {
      void this.#finish(job, tokens, passes);
    });
  }

  get capacity(): number {
    return this.#slots.count;
  }

  get jobs(): number {
    return this.#waiting.length + this.#running.jobs.size + this.#finishing.size;
  }

  get stats(): EngineStats {
    const device = this.#clock?.device;
    return { steps: this.#steps, ...this.#feed.spent, ...(device && { device: { ...device } }) };
  }

  submit(request: ImageRequest, options: SubmitOptions = {}): AsyncIterableIterator<EngineEvent> {
    checkOptions('submit', options, SUBMIT);
    const { signal, index = this.#submitted } = options;
    const job = new Job(checkRequest(this.#model.config, request, this.capacity), index, options);
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

  async prepare(
    rows: number,
    window: number | 'auto' = 1,
    captions: readonly CaptionFeatures[] = [],
  ): Promise<void> {
    const rowsOf = (each: number): number => rows * each;
    const each = window === 'auto' ? this.#passes.bestWindow(rowsOf) : window;
    await this.#passes.for(Math.max(rows, this.#fitting(rowsOf(each))));
    if (captions.length === 0) return;
    const uncondSlot = rows > captions.length ? 0 : undefined;
    await this.#prefill?.prepare(captions.map((caption) => ({ caption, uncondSlot })));
  }

  /** Rows of a pass in which windows take no more than there are. */
  #fitting(rows: number): number {
    return Math.min(rows, this.#slots.mostRows);
  }

  idle(): Promise<void> {
    if (this.jobs === 0 && !this.#isActive) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  destroy(): void {
    this.#ended ??= new DeviceError('destroyed', 'the engine was destroyed: create another');
    this.#failAll(this.#ended);
    this.#passes.destroy();
    this.#prefill?.destroy();
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
        await this.#fillCaptions();
        const isFed = this.#running.jobs.size === 0 || this.#feed.isFed;
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

  /** Takes out what nobody waits for. */
  #dropGone(): void {
    this.#running.dropGone();
    const staying = this.#waiting.filter((job) => !job.isGone);
    this.#waiting.splice(0, this.#waiting.length, ...staying);
  }

  /** Gives slots to those who wait, in their order. */
  #admit(): void {
    for (;;) {
      const [job] = this.#waiting;
      if (!job || !this.#running.hasRoomFor(job)) return;
      this.#waiting.shift();
      this.#running.start(job);
    }
  }

  /** Puts the captions of those that were admitted into their slots, before they draw. */
  async #fillCaptions(): Promise<void> {
    const captioned = this.#running.takeCaptioned();
    if (captioned.length === 0 || !this.#prefill) return;
    const { memory } = this.#model.gpt;
    for await (const pass of this.#prefill.passes(captioned, ({ job }) => job.isGone)) {
      while (this.#feed.isFed) await this.#feed.settle();
      if (this.#ended) return;
      const timestampWrites = this.#clock?.next('captions');
      const written = memory.checked('writing captions', pass.write);
      this.#feed.submit(pass, 1, { timestampWrites, written });
    }
  }

  /** Submits the next chunk, or waits where more should be known first. */
  async #advance(): Promise<void> {
    const { placed } = this.#running;
    const least = rowsNeeded(placed);
    const fitting = (rows: number): number => Math.max(least, this.#fitting(rows));
    const rowsOf = (window: number): number => rowsOfWindows(placed, window);
    const isAuto = placed.some(({ window }) => window === 'auto');
    const auto = isAuto ? this.#passes.bestWindow(rowsOf) : 1;
    const pass = await this.#passes.for(fitting(rowsOf(auto)), fitting(rowsWanted(placed, auto)));
    if (this.#ended) return;
    const unconditional = noCondition(this.#model.config.gpt, this.capacity);
    const plan = planPass(placed, pass.rows, unconditional, auto);
    const steps = this.#stepsOf(pass, plan);
    if (steps === 0 && this.#feed.pending > 0) {
      await this.#feed.settle();
      return;
    }
    await this.#submit(pass, plan, Math.max(1, steps));
  }

  async #submit(pass: PassProgram, plan: PlannedPass, steps: number): Promise<void> {
    const { memory, watch } = this.#model.gpt;
    const written = memory.checked('starting the sequences', () => {
      this.#slots.write('rows', packRows(plan.rows, pass.rows));
      this.#slots.write('sequences', packSequences(plan.draws, pass.rows));
      this.#slots.write('windows', packWindows(plan.windows, pass.rows));
    });
    const [oldest] = this.#running.placed;
    if (this.#profiler && oldest && this.#isProfiled(oldest)) {
      while (this.#feed.pending > 0) await this.#feed.settle();
      await watch.race(Promise.all([written, pass.placing.run(0)]));
      await this.#clock?.read();
      await watch.race(this.#profiler.run(memory, pass.program, 'token step'));
      this.#steps++;
      const tell = await this.#running.move(plan, 1);
      tell();
    } else {
      const timestampWrites = this.#clock?.next(countSteps(steps));
      const behind = () => this.#running.move(plan, steps);
      this.#steps += steps;
      const { placing: program, pace } = pass;
      this.#feed.submit({ program, pace }, steps, { timestampWrites, written, behind });
    }
  }

  /** Passes until a request is full, wants to be looked at, or is profiled; no more than a chunk. */
  #stepsOf({ pace }: PassProgram, { counts }: PlannedPass): number {
    const { blockSize } = this.#model.config.gpt;
    const wishes = [...this.#running.jobs].map(([placed, { request }]) => {
      const every = [request.previewEvery, request.gridEvery];
      return { placed, count: counts.get(placed) ?? 1, every };
    });
    const steps = chunkSize(wishes, blockSize, this.#feed.chunkOf(pace));
    const [oldest] = this.#running.placed;
    if (!this.#profiler || !oldest) return steps;
    const { expected } = oldest.at;
    const next = this.#profiledSteps().find((step) => step > expected) ?? blockSize;
    return Math.min(steps, Math.ceil((next - expected) / oldest.rate(counts.get(oldest) ?? 1)));
  }

  #profiledSteps(): number[] {
    const { blockSize } = this.#model.config.gpt;
    const share = blockSize / PROFILED_STEPS;
    return Array.from({ length: PROFILED_STEPS }, (_, i) => Math.floor((i + 0.5) * share));
  }

  /** Whether it has just come to a step that a profiler looks into. */
  #isProfiled(placed: Placed): boolean {
    const behind = this.#profiledSteps().filter((step) => step <= placed.at.expected).length;
    const isDue = behind > placed.profiled;
    placed.profiled = behind;
    return isDue;
  }

  async #finish(job: Job, read: Promise<Tokens>, passes: number): Promise<void> {
    this.#finishing.add(job);
    await this.#results.finish(job, read, passes, () => this.jobs === 1);
    this.#finishing.delete(job);
    this.#tellIdle();
    if (!this.#ended) void this.#passes.buildOthers().catch(() => {}); // those there are will do
  }

  #tellIdle(): void {
    if (this.jobs > 0 || this.#isActive) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #failAll(error: unknown): void {
    for (const job of [...this.#waiting, ...this.#running.jobs.values(), ...this.#finishing]) {
      job.fail(error);
    }
    for (const placed of this.#running.placed) this.#running.release(placed);
    this.#waiting.length = 0;
    this.#feed.drop();
  }
}
