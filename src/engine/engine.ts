/** The engine: requests join and leave a batch at any step, each with the tokens it has alone. */
import { DeviceError } from '../errors.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { checkModel, type Model } from '../load/model.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import { checkOptions } from '../options.ts';
import { engineSlots } from './capacity.ts';
import type { CaptionFill } from './caption-fill.ts';
import { type Chunk, Chunks, writeTables } from './chunks.ts';
import { Counts } from './counts.ts';
import {
  ENGINE,
  type Engine,
  type EngineLoad,
  type EngineOptions,
  type EngineStats,
  SUBMIT,
  type SubmitOptions,
} from './engine-types.ts';
import { Feed } from './feed.ts';
import { Job } from './job.ts';
import { countSteps, PassClock } from './pass-clock.ts';
import { Passes } from './passes.ts';
import type { PrefillPass } from './prefill.ts';
import { comesToProfiled } from './profiled-steps.ts';
import { checkRequest, type EngineEvent, type ImageRequest } from './request.ts';
import { Results } from './results.ts';
import { Running, type Tokens } from './running.ts';
import type { Slots } from './slots.ts';
import { checkRoom, WaitingLine } from './waiting-line.ts';

/**
 * Makes an engine for a model, with memory for its capacity. It is the caller's: destroy it.
 * @throws OptionError for an option that cannot be, DeviceError when the device has no room.
 */
export async function createEngine(model: Model, options: EngineOptions = {}): Promise<Engine> {
  checkModel('createEngine', model);
  checkOptions('createEngine', options, ENGINE);
  // What puts captions into slots, where there are any: code that models of classes do not load.
  const isText = model.config.gpt.modelType === 't2i';
  const captions = isText ? await import('./caption-fill.ts') : undefined;
  const slots = await engineSlots(model, options);
  const fill = captions && new captions.CaptionFill(model.gpt, slots);
  // With the buffers that it reads results with.
  const make = (): SlotEngine => new SlotEngine(model, slots, fill, options);
  return model.gpt.memory.make('making an engine', make);
}

class SlotEngine implements Engine {
  readonly #model: Model;
  readonly #slots: Slots;
  readonly #passes: Passes;
  readonly #captions: CaptionFill | undefined;
  readonly #feed: Feed;
  readonly #chunks: Chunks;
  readonly #results: Results;
  readonly #profiler: Profiler | undefined;
  readonly #clock: PassClock | undefined;
  readonly #waiting = new WaitingLine();
  readonly #mostWaiting: number | undefined;
  /** Those that have tokens to be submitted. */
  readonly #running: Running;
  /** Those whose tokens or pixels are on their way. */
  readonly #finishing = new Set<Job>();
  readonly #whenIdle: (() => void)[] = [];
  readonly #counts = new Counts();
  #isActive = false;
  /** Whether the pass before was one of captions: they take turns with those that draw. */
  #wasCaptions = false;
  #submitted = 0;
  #ended: DeviceError | undefined;

  constructor(
    model: Model,
    slots: Slots,
    captions: CaptionFill | undefined,
    options: EngineOptions,
  ) {
    const { memory, watch } = model.gpt;
    const { profiler, aheadMs, mostWaiting } = options;
    this.#model = model;
    this.#slots = slots;
    this.#passes = new Passes(model.gpt, slots);
    this.#captions = captions;
    this.#feed = new Feed(memory, watch, { profiler, aheadMs });
    this.#results = new Results(model, slots, profiler);
    this.#profiler = profiler;
    this.#clock = profiler && new PassClock(memory, profiler);
    this.#mostWaiting = mostWaiting;
    this.#running = new Running(model, slots, this.#results, (job, tokens, passes) => {
      void this.#finish(job, tokens, passes);
    });
    const { jobs } = this.#running;
    this.#chunks = new Chunks({
      model,
      slots,
      passes: this.#passes,
      feed: this.#feed,
      jobs,
      profiler,
    });
  }

  get capacity(): number {
    return this.#slots.count;
  }

  get jobs(): number {
    return this.#waiting.size + this.#running.jobs.size + this.#finishing.size;
  }

  get stats(): EngineStats {
    const device = this.#clock?.device;
    const tokens = this.#running.drawn;
    return {
      ...this.#counts.done,
      tokens,
      ...this.#feed.spent,
      ...(device && { device: { ...device } }),
    };
  }

  get load(): EngineLoad {
    const { slotsInUse } = this.#running;
    this.#waiting.dropGone();
    const next = this.#waiting.fitting(this.capacity - slotsInUse);
    const running = this.#running.jobs.size + next.jobs;
    return {
      waiting: this.#waiting.size - next.jobs,
      running,
      finishing: this.#finishing.size,
      slots: this.capacity,
      slotsInUse: slotsInUse + next.slots,
      ...(running > 0 ? this.#counts.latest : { rows: 0, rowsInUse: 0 }),
    };
  }

  submit(request: ImageRequest, options: SubmitOptions = {}): AsyncIterableIterator<EngineEvent> {
    checkOptions('submit', options, SUBMIT);
    const { signal, index = this.#submitted } = options;
    const checked = checkRequest(this.#model.config, request, this.capacity);
    if (this.#mostWaiting !== undefined) checkRoom(this.load, checked, this.#mostWaiting);
    const job = new Job(checked, index, options);
    this.#submitted++;
    if (this.#ended) job.fail(this.#ended);
    else if (signal?.aborted) job.fail(signal.reason);
    else {
      job.events.push({ type: 'queued', ahead: this.#waiting.add(job) });
      if (!this.#isActive) void this.#work();
    }
    return job.events;
  }

  async prepare(
    rows: number,
    window: number | 'auto' = 1,
    captions: readonly CaptionFeatures[] = [],
  ): Promise<void> {
    if (this.#ended) throw this.#ended;
    const rowsOf = (each: number): number => rows * each;
    const each = window === 'auto' ? this.#passes.bestWindow(rowsOf) : window;
    const fitting = Math.min(rowsOf(each), this.#slots.mostRows);
    await this.#passes.for(Math.max(rows, fitting));
    if (captions.length > 0 && !this.#ended) {
      const uncondSlot = rows > captions.length ? 0 : undefined;
      await this.#captions?.prepare(captions.map((caption) => ({ caption, uncondSlot })));
    }
    if (this.#ended) throw this.#ended; // meanwhile: its buffers are gone
  }

  idle(): Promise<void> {
    if (this.jobs === 0 && !this.#isActive) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  destroy(): void {
    this.#ended ??= new DeviceError('destroyed', 'the engine was destroyed: create another');
    this.#failAll(this.#ended);
    this.#passes.destroy();
    this.#captions?.destroy();
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
        this.#counts.deciding(() => this.#admit());
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
    if (this.#waiting.size > 0 && !this.#ended) void this.#work();
  }

  /** Takes out what nobody waits for, and gives slots to those who wait, in their order. */
  #admit(): void {
    this.#running.dropGone();
    this.#waiting.dropGone();
    for (let job = this.#waiting.first; job; job = this.#waiting.first) {
      if (!this.#running.hasRoomFor(job)) break;
      this.#waiting.shift();
      this.#running.start(job);
    }
    this.#captions?.add(this.#running.takeCaptioned());
  }

  /** Submits a pass of captions or a chunk that draws, in turns, or waits where more should be known first. */
  async #advance(): Promise<void> {
    const mustDraw = this.#wasCaptions && this.#running.drawing.length > 0;
    const next = mustDraw
      ? undefined
      : this.#captions?.next(({ placed }) => this.#running.filled(placed));
    const isBuilding = next instanceof Promise;
    this.#wasCaptions = next !== undefined && !isBuilding;
    // Programs for captions are built beside those that draw.
    if (isBuilding && this.#running.drawing.length === 0) await next;
    else if (next === undefined || isBuilding) await this.#draw();
    else this.#submitCaptions(next);
  }

  #submitCaptions(pass: PrefillPass): void {
    const timestampWrites = this.#clock?.next('captions');
    const written = this.#model.gpt.memory.checked('writing captions', pass.write);
    this.#feed.submit(pass, 1, { timestampWrites, written });
  }

  /** Submits the next chunk of those that draw. */
  async #draw(): Promise<void> {
    const { drawing } = this.#running;
    if (drawing.length === 0) return;
    const next = this.#counts.deciding(() => this.#chunks.next(drawing));
    if (next.do === 'submit') await this.#submit(next);
    else if (next.do === 'build') await this.#passes.for(next.rows);
    else await this.#feed.settle();
  }

  async #submit({ pass, plan, steps }: Chunk): Promise<void> {
    const { memory, watch, config } = this.#model.gpt;
    const written = this.#counts.deciding(() =>
      memory.checked('starting the sequences', () => writeTables(this.#slots, plan, pass.rows)),
    );
    const [oldest] = this.#running.drawing;
    const isProfiled = this.#profiler && oldest && comesToProfiled(oldest, config.blockSize);
    const latest = { rows: pass.rows, rowsInUse: plan.rows.length };
    this.#counts.submitted(latest, isProfiled ? 1 : steps);
    if (this.#profiler && isProfiled) {
      while (this.#feed.pending > 0) await this.#feed.settle();
      await watch.race(Promise.all([written, pass.placing.run(0)]));
      await this.#clock?.read();
      await watch.race(this.#profiler.run(memory, pass.program, 'token step'));
      const tell = await this.#running.move(plan, 1);
      tell();
    } else {
      const timestampWrites = this.#clock?.next(countSteps(steps));
      const behind = () => this.#running.move(plan, steps);
      const { placing: program, pace } = pass;
      this.#feed.submit({ program, pace }, steps, { timestampWrites, written, behind });
    }
  }

  async #finish(job: Job, read: Promise<Tokens>, passes: number): Promise<void> {
    this.#finishing.add(job);
    const hasImage = await this.#results.finish(job, read, passes, () => this.jobs === 1);
    this.#finishing.delete(job);
    if (hasImage) this.#counts.done.images++;
    this.#tellIdle();
    if (!this.#ended) void this.#passes.buildOthers();
  }

  #tellIdle(): void {
    if (this.jobs > 0 || this.#isActive) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #failAll(error: unknown): void {
    const waiting = this.#waiting.clear();
    for (const job of [...waiting, ...this.#running.jobs.values(), ...this.#finishing]) {
      job.fail(error);
    }
    for (const placed of this.#running.placed) this.#running.release(placed);
    this.#captions?.drop();
    this.#feed.drop();
  }
}
