/** What an engine reads of its slots: grids under way, and full ones, and the pictures of both. */
import { PROGRESS_WORDS } from '../../kernels/sampler/window-table.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { Reader } from '../gpu/readback.ts';
import type { Model } from '../load/model.ts';
import { MOST_PENDING } from './feed.ts';
import type { Picture } from './images.ts';
import type { Job } from './job.ts';
import { assertDrawn } from './not-finite.ts';
import { type GridToDecode, pictureQueue } from './picture-queue.ts';
import { filledGrid, hideUndrawn } from './preview.ts';
import type { Slots } from './slots.ts';

/** Chunks whose reads are under way at once; those of one that is done may come after the next is submitted. */
const READ_CHUNKS = MOST_PENDING + 2;

/** How often the tokens of a request are read in the course of its grid, for who wants to know them. */
const KNOWN_PARTS = 16;

type Tokens = Uint32Array<ArrayBuffer>;

export class Results {
  readonly #model: Model;
  readonly #slots: Slots;
  readonly #reader: Reader;
  readonly #progress: Reader;
  readonly #profiler: Profiler | undefined;
  /** Reads of grids that became full just now. */
  #full: Promise<Tokens>[] = [];
  #allRead: Promise<unknown> = Promise.resolve();

  constructor(model: Model, slots: Slots, profiler: Profiler | undefined) {
    const { memory, config } = model.gpt;
    this.#model = model;
    this.#slots = slots;
    this.#profiler = profiler;
    this.#reader = new Reader(memory, 'tokens', config.blockSize * 4);
    // Each slot may be read behind each of them.
    this.#reader.reserve(READ_CHUNKS * slots.count);
    this.#progress = new Reader(memory, 'progress', slots.count * PROGRESS_WORDS * 4);
    this.#progress.reserve(READ_CHUNKS);
  }

  /** The line of tokens of a slot as it is after all that is submitted: u32 [blockSize]. */
  async read(slot: number): Promise<Tokens> {
    const { watch, config } = this.#model.gpt;
    const buffer = this.#slots.buffer('tokens');
    const bytes = watch.race(this.#reader.read(buffer, slot * config.blockSize * 4));
    return new Uint32Array(await bytes);
  }

  /** How far all sequences are after all that is submitted: u32 [slots, 4] (`ProgressLine`). */
  async progress(): Promise<Uint32Array> {
    const { watch } = this.#model.gpt;
    const bytes = watch.race(this.#progress.read(this.#slots.buffer('progress')));
    return new Uint32Array(await bytes);
  }

  /** Whether a request asks to be looked at somewhere up to `known` tokens. */
  wantsLook(job: Job, known: number): boolean {
    const { previewEvery, gridEvery } = job.request;
    const all = [previewEvery, gridEvery, this.#knownEvery(job)];
    return all.some((every) => lastLook(job.looked, known, every) !== undefined);
  }

  /** Tokens from one time that a request is told those so far to the next. No chunk ends for it. */
  #knownEvery({ onKnown }: Job): number | undefined {
    return onKnown && Math.ceil(this.#model.config.gpt.blockSize / KNOWN_PARTS);
  }

  /**
   * Tells of the grid so far, where the request asks for it since it was last looked at.
   * @param known Tokens that are known.
   * @param read The line of tokens.
   */
  look(job: Job, known: number, read: () => Promise<Tokens>): void {
    const { previewEvery, gridEvery } = job.request;
    const grid = lastLook(job.looked, known, gridEvery);
    // One at a time: where decoding is slow, pictures are left out and the tokens go on.
    const seen = job.isPreviewing ? undefined : lastLook(job.looked, known, previewEvery);
    const isTold = lastLook(job.looked, known, this.#knownEvery(job)) !== undefined;
    job.looked = known;
    if (grid === undefined && seen === undefined && !isTold) return;
    if (seen !== undefined) job.isPreviewing = true;
    const line = read();
    const look = async (): Promise<void> => {
      const { blockSize: total, gridSize } = this.#model.config.gpt;
      const tokens = (await line).slice(0, known);
      this.#assertDrawn(job, tokens);
      if (isTold && !job.isGone) job.onKnown?.(tokens.slice());
      if (grid !== undefined) {
        job.events.push({ type: 'tokens', done: grid, total, tokens: tokens.slice(0, grid) });
      }
      if (seen === undefined || job.isGone) return;
      const filled = this.#gridOf(job, filledGrid(tokens, seen, gridSize));
      const picture = await pictureQueue(this.#model.vq).decode(filled);
      const shown = hideUndrawn(picture, seen, gridSize);
      job.events.push({ type: 'preview', done: seen, picture: shown });
      job.isPreviewing = false;
    };
    look().catch((error: unknown) => job.fail(error));
  }

  /**
   * Takes the tokens of a full grid, makes pixels of them, and ends the events of the request, also where
   * that fails.
   * @param passes That it was computed in.
   * @param isLast Whether its dispatches are timed, where there is a profiler.
   * @returns Whether it got its image.
   */
  async finish(
    job: Job,
    read: Promise<Tokens>,
    passes: number,
    isLast: () => boolean,
  ): Promise<boolean> {
    const allRead = this.#readWith(read);
    try {
      const { blockSize: total } = this.#model.config.gpt;
      const tokens = await read;
      this.#assertDrawn(job, tokens);
      if (!job.isGone) job.onKnown?.(tokens.slice());
      job.tellTokens(total, total, passes);
      await allRead; // those that became full with it are decoded with it
      if (job.isGone) return false;
      const begun = performance.now();
      const picture = await this.#picture(job, tokens, isLast());
      const decodeMs = performance.now() - begun;
      job.events.push({ type: 'image', tokens, picture, passes, decodeMs });
      job.finish();
      return true;
    } catch (error) {
      job.fail(error);
      return false;
    }
  }

  /** Resolves when all that became full with it have been read: those of this turn of JavaScript. */
  #readWith(read: Promise<Tokens>): Promise<unknown> {
    if (this.#full.length === 0) {
      this.#allRead = Promise.resolve().then(async () => {
        await Promise.allSettled(this.#full.splice(0)); // and keeps none of them
      });
    }
    this.#full.push(read);
    return this.#allRead;
  }

  destroy(): void {
    this.#reader.destroy();
    this.#progress.destroy();
  }

  /** Makes the picture that a request asks for; none where it goes into a target, or there is to be none. */
  async #picture(job: Job, tokens: Tokens, timed: boolean): Promise<Picture | undefined> {
    const { pixels, into } = job.request;
    if (!pixels) return undefined;
    const queue = pictureQueue(this.#model.vq);
    const grid = this.#gridOf(job, tokens);
    if (!into) return queue.decode(grid, this.#profiler, timed);
    await queue.decodeInto(grid, into, this.#profiler, timed);
    return undefined;
  }

  #gridOf({ index }: Job, tokens: Tokens): GridToDecode {
    const { gridSize } = this.#model.config.gpt;
    return { grid: [gridSize, gridSize], tokens, index };
  }

  #assertDrawn({ request, index }: Job, tokens: Tokens): void {
    const { config, precision } = this.#model.gpt;
    const { label, sampling } = request;
    assertDrawn(tokens, config.blockSize, precision, [{ label, seed: sampling.seed }], index);
  }
}

/** The last multiple of `every` that tokens have reached since `before` of them. */
function lastLook(before: number, known: number, every: number | undefined): number | undefined {
  if (every === undefined) return undefined;
  const last = known - (known % every);
  return last > before ? last : undefined;
}
