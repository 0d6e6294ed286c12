/** What an engine reads of its slots: grids under way, and full ones, and the pictures of both. */
import type { Profiler } from '../gpu/profiler.ts';
import { Reader } from '../gpu/readback.ts';
import type { Model } from '../load/model.ts';
import type { Picture } from './images.ts';
import type { Job } from './job.ts';
import { assertDrawn } from './not-finite.ts';
import { pictureQueue } from './picture-queue.ts';
import type { Placed } from './plan-pass.ts';
import { filledGrid, hideUndrawn } from './preview.ts';
import type { Slots } from './slots.ts';

/** Chunks under way at once, as far as is usual. */
const QUEUED_CHUNKS = 4;

type Tokens = Uint32Array<ArrayBuffer>;

export class Results {
  readonly #model: Model;
  readonly #slots: Slots;
  readonly #reader: Reader;
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
    // Each slot may be read by every chunk that is queued.
    this.#reader.reserve(QUEUED_CHUNKS * slots.count);
  }

  /** The line of tokens of a slot as it is after all that is submitted: u32 [blockSize]. */
  async read(slot: number): Promise<Tokens> {
    const { watch, config } = this.#model.gpt;
    const buffer = this.#slots.buffers.get('tokens');
    if (!buffer) throw new RangeError('slots have no tokens');
    const bytes = watch.race(this.#reader.read(buffer, slot * config.blockSize * 4));
    return new Uint32Array(await bytes);
  }

  /** Begins to read the grid so far, where the request asks for it at this position. */
  look(job: Job, { slot, position }: Placed): void {
    const { previewEvery, gridEvery } = job.request;
    const wantsGrid = gridEvery !== undefined && position % gridEvery === 0;
    // One at a time: where decoding is slow, pictures are left out and the tokens go on.
    const wantsPreview = previewEvery !== undefined && position % previewEvery === 0;
    const previews = wantsPreview && !job.isPreviewing;
    if (!wantsGrid && !previews) return;
    if (previews) job.isPreviewing = true;
    const read = this.read(slot);
    const look = async (): Promise<void> => {
      const { blockSize: total, gridSize } = this.#model.config.gpt;
      const tokens = (await read).slice(0, position);
      this.#assertDrawn(job, tokens);
      if (wantsGrid) job.events.push({ type: 'tokens', done: position, total, tokens });
      if (!previews || job.isGone) return;
      const picture = await this.#decode(job, filledGrid(tokens, position, gridSize));
      const shown = hideUndrawn(picture, position, gridSize);
      job.events.push({ type: 'preview', done: position, picture: shown });
      job.isPreviewing = false;
    };
    look().catch((error: unknown) => job.fail(error));
  }

  /**
   * Takes the tokens of a full grid, makes pixels of them, and ends the events of the request, also where
   * that fails.
   * @param isLast Whether its dispatches are timed, where there is a profiler.
   */
  async finish(job: Job, read: Promise<Tokens>, isLast: () => boolean): Promise<void> {
    const allRead = this.#readWith(read);
    try {
      const { blockSize: total } = this.#model.config.gpt;
      const tokens = await read;
      this.#assertDrawn(job, tokens);
      job.tellTokens(total, total);
      await allRead; // those that became full with it are decoded with it
      if (job.isGone) return;
      const begun = performance.now();
      const picture = job.request.pixels
        ? await this.#decode(job, tokens, this.#profiler, isLast())
        : undefined;
      const decodeMs = performance.now() - begun;
      job.events.push({ type: 'image', tokens, picture, decodeMs });
      job.finish();
    } catch (error) {
      job.fail(error);
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
  }

  #decode(job: Job, tokens: Tokens, profiler?: Profiler, timed?: boolean): Promise<Picture> {
    const { gridSize } = this.#model.config.gpt;
    const toDecode = { grid: [gridSize, gridSize], tokens, index: job.index } as const;
    return pictureQueue(this.#model.vq).decode(toDecode, profiler, timed);
  }

  #assertDrawn({ request, index }: Job, tokens: Tokens): void {
    const { config, precision } = this.#model.gpt;
    const { label, sampling } = request;
    assertDrawn(tokens, config.blockSize, precision, [{ label, seed: sampling.seed }], index);
  }
}
