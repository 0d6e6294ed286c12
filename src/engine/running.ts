/** Requests that have slots: they get them, move on with every chunk, and give them back. */
import { PROGRESS_WORDS, packStart, progressOf } from '../../kernels/sampler/window-table.ts';
import type { Model } from '../load/model.ts';
import type { Job } from './job.ts';
import { type Bounds, Placed } from './placed.ts';
import type { PlannedPass } from './plan-pass.ts';
import { type Captioned, conditionOf, firstOf } from './plan-prefill.ts';
import type { Results } from './results.ts';
import type { Slots } from './slots.ts';
import { slotsOf } from './waiting-line.ts';

export type Tokens = Uint32Array<ArrayBuffer>;

/** A request whose caption is not in its slots yet. */
export interface CaptionedJob extends Captioned {
  readonly job: Job;
  readonly placed: Placed;
}

/** Takes a request whose tokens are full. */
export type OnFull = (job: Job, tokens: Promise<Tokens>, passes: number) => void;

export class Running {
  /** By age. */
  readonly jobs: Map<Placed, Job> = new Map();
  readonly #model: Model;
  readonly #slots: Slots;
  readonly #results: Results;
  readonly #onFull: OnFull;
  readonly #free: number[];
  readonly #captioned: CaptionedJob[] = [];
  /** Those whose captions are not in their slots yet. */
  readonly #filling = new Set<Placed>();
  /** Tokens that were drawn, or are once all that is submitted is done. */
  drawn = 0;

  constructor(model: Model, slots: Slots, results: Results, onFull: OnFull) {
    this.#model = model;
    this.#slots = slots;
    this.#results = results;
    this.#onFull = onFull;
    this.#free = Array.from({ length: slots.count }, (_, slot) => slot);
  }

  get placed(): readonly Placed[] {
    return [...this.jobs.keys()];
  }

  /** Those that can draw: their captions are in their slots. */
  get drawing(): readonly Placed[] {
    return this.#filling.size === 0
      ? this.placed
      : this.placed.filter((placed) => !this.#filling.has(placed));
  }

  get slotsInUse(): number {
    return this.#slots.count - this.#free.length;
  }

  hasRoomFor({ request }: Job): boolean {
    return this.#free.length >= slotsOf(request);
  }

  /** Gives a request its slots, for which there is room. */
  start(job: Job): void {
    const { memory, config } = this.#model.gpt;
    const { label, caption, sampling, guided, prefix, window } = job.request;
    const slot = this.#free.shift() ?? 0;
    const uncondSlot = guided ? this.#free.shift() : undefined;
    const condition = label ?? conditionOf(config, slot);
    const placed = new Placed({ slot, uncondSlot, condition, sampling, window });
    this.jobs.set(placed, job);
    job.events.push({ type: 'started' });
    const line = Uint32Array.from(prefix);
    const write = (): void => {
      this.#slots.write('progress', packStart(line.length), slot * PROGRESS_WORDS);
      if (line.length > 0) this.#slots.write('tokens', line, slot * config.blockSize);
      if (!caption) return;
      const first = Uint32Array.of(firstOf(config, caption));
      for (const one of [slot, uncondSlot ?? slot]) this.#slots.write('firsts', first, one);
    };
    memory.checked('writing given tokens', write).catch((error) => job.fail(error));
    if (line.length < config.blockSize) {
      if (!caption) return;
      this.#filling.add(placed);
      this.#captioned.push({ job, placed, slot, uncondSlot, caption });
      return;
    }
    this.release(placed);
    this.#onFull(job, Promise.resolve(line), 0);
  }

  /** Those that began since the last call with a caption, which comes first. */
  takeCaptioned(): readonly CaptionedJob[] {
    return this.#captioned.splice(0);
  }

  /** Its caption is in its slots. */
  filled(placed: Placed): void {
    this.#filling.delete(placed);
  }

  /** Takes its slots back. Passes that are queued still write to them, before others do. */
  release(placed: Placed): void {
    this.jobs.delete(placed);
    this.#filling.delete(placed);
    this.#free.push(placed.slot);
    if (placed.uncondSlot !== undefined) this.#free.push(placed.uncondSlot);
    this.#free.sort((a, b) => a - b);
  }

  /** Takes out what nobody waits for. */
  dropGone(): void {
    for (const [placed, job] of this.jobs) if (job.isGone) this.release(placed);
  }

  /**
   * Notes that passes were submitted, and queues what is to be read behind them.
   * @returns Tells the requests of it, once the passes are done.
   */
  async move({ counts }: PlannedPass, passes: number): Promise<() => void> {
    const tell: (() => void)[] = [];
    const see: ((progress: Uint32Array) => void)[] = [];
    for (const [placed, count] of counts) {
      const job = this.jobs.get(placed);
      if (!job) continue;
      const then = placed.submit(count, passes);
      // Passes of windows may have gone beyond the end, which is not known before they are seen.
      const isSure = placed.isExact && then.least <= this.#model.config.gpt.blockSize;
      if (isSure) tell.push(this.#reach(job, placed, then.least, then.passes));
      else see.push(this.#look(job, placed, then));
    }
    const progress = see.length > 0 ? await this.#results.progress() : new Uint32Array();
    return () => {
      for (const telling of tell) telling();
      for (const seeing of see) seeing(progress);
    };
  }

  /**
   * So many tokens are known once all that is submitted is done. What is read of them is queued.
   * @returns Tells the request.
   */
  #reach(
    job: Job,
    placed: Placed,
    known: number,
    passes: number,
    read = () => this.#results.read(placed.slot),
  ): () => void {
    const { blockSize } = this.#model.config.gpt;
    const { given } = placed.sampling;
    this.drawn += placed.count(known);
    if (known === blockSize) {
      this.release(placed);
      this.#onFull(job, read(), passes); // which tells of the last ones when they have been looked at
      return () => {};
    }
    if (known >= given) this.#results.look(job, known, read);
    return () => job.tellTokens(Math.max(known, given), blockSize, passes);
  }

  /**
   * It is not known how many there will be: it is read, and the line with it where that may be wanted.
   * @returns Takes in how many there are.
   */
  #look(job: Job, placed: Placed, then: Bounds): (progress: Uint32Array) => void {
    const { slot } = placed;
    const mayBeFull = then.most >= this.#model.config.gpt.blockSize;
    const isWanted = mayBeFull || this.#results.wantsLook(job, then.most);
    const line = isWanted ? this.#results.read(slot) : undefined;
    line?.catch(() => {}); // told to whoever takes it
    return (progress) => {
      if (this.jobs.get(placed) !== job) return;
      const { known, passes } = progressOf(progress, slot);
      placed.see(known, then);
      this.#reach(job, placed, known, passes, () => line ?? this.#results.read(slot))();
    };
  }
}
