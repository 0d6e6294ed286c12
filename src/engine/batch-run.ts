/** The batches of one call, one after another on an engine, and what they take. */

import type { Profiler } from '../gpu/profiler.ts';
import type { Model } from '../load/model.ts';
import type { Engine, EngineStats } from './engine-types.ts';
import type { Picture } from './images.ts';
import { pictureQueue } from './picture-queue.ts';
import { Phase, type Progress } from './progress.ts';
import type { EngineEvent } from './request.ts';
import type { RunStats } from './run-steps.ts';
import type { Sequence } from './token-loop.ts';

/** An image under way. */
export interface Preview {
  /** Number of the image. */
  readonly index: number;
  /** Tokens that are drawn, of `total`. */
  readonly done: number;
  readonly total: number;
  readonly picture: Picture;
}

export interface GeneratedImage extends Picture {
  /** Its class; undefined where a caption was the condition. */
  readonly classIndex: number | undefined;
  readonly seed: number;
  /** Row by row, u32 [gridSize * gridSize]. */
  readonly tokens: Uint32Array<ArrayBuffer>;
}

/** What a run took. */
export interface GenerateStats {
  readonly timings: {
    readonly compileMs: number;
    readonly tokensMs: number;
    readonly decodeMs: number;
  };
  /** Of each batch of the token loop. */
  readonly runs: readonly RunStats[];
  /** Passes that each image was computed in; with a window fewer than it has tokens. */
  readonly passes: readonly number[];
  /** Tokens of all images over their passes. */
  readonly tokensPerPass: number;
}

/** Some images of a call, side by side. */
export interface RunBatch {
  readonly sequences: readonly Sequence[];
  /** Number of the first of them. */
  readonly first: number;
  readonly window: number | 'auto';
  readonly signal: AbortSignal | undefined;
  readonly profiler: Profiler | undefined;
  /** Of the first of them. */
  readonly preview: Previews | undefined;
}

export interface Previews {
  readonly onPreview: (preview: Preview) => void;
  readonly previewEvery: number;
}

type Events = AsyncIterableIterator<EngineEvent>;

export class BatchRun {
  readonly #model: Model;
  readonly #compile: Phase;
  readonly #tokens: Phase;
  readonly #decode: Phase;
  readonly #runs: RunStats[] = [];
  readonly #passes: number[] = [];
  #decoded = 0;

  /** @param images Of the whole call. */
  constructor(
    model: Model,
    images: number,
    onProgress: ((progress: Progress) => void) | undefined,
  ) {
    this.#model = model;
    this.#compile = new Phase('compile', 2, onProgress);
    this.#tokens = new Phase('tokens', model.config.gpt.blockSize * images, onProgress);
    this.#decode = new Phase('decode', images, onProgress);
  }

  get stats(): GenerateStats {
    const timings = {
      compileMs: this.#compile.ms,
      tokensMs: this.#tokens.ms,
      decodeMs: this.#decode.ms,
    };
    const passes = this.#passes;
    const tokens = passes.length * this.#model.config.gpt.blockSize;
    const count = passes.reduce((a, b) => a + b, 0);
    const tokensPerPass = tokens / Math.max(1, count);
    return { timings, runs: this.#runs, passes, tokensPerPass };
  }

  /** Submits a batch. Its images come in their order, each as soon as it is there. */
  async begin(engine: Engine, batch: RunBatch): Promise<AsyncGenerator<GeneratedImage, void>> {
    const { sequences, first, window, signal, profiler, preview } = batch;
    await this.#compiled(engine, batch);
    const before = { ...engine.stats, tokensMs: this.#tokens.ms };
    this.#tokens.begin();
    if (first === 0) this.#tokens.report(0);
    const all = sequences.map(({ label, given: _, tokens: prefix, ...settings }, i) => {
      const previewEvery = i === 0 ? preview?.previewEvery : undefined;
      const request = { ...settings, classIndex: label, prefix, previewEvery, window };
      return engine.submit(request, { signal, index: first + i });
    });
    return this.#images(batch, all, async () => {
      // Only then are all times read.
      if (profiler) await engine.idle();
      this.#runs.push(runOf(before, { ...engine.stats, tokensMs: this.#tokens.ms }));
    });
  }

  /** The programs that the first images wait for. */
  async #compiled(engine: Engine, { sequences, first, window, profiler }: RunBatch): Promise<void> {
    const { vq } = this.#model;
    const { gridSize } = this.#model.config.gpt;
    const report = (done: number): void => {
      if (first === 0) this.#compile.report(done);
    };
    const endCompile = profiler?.begin('compile');
    this.#compile.begin();
    report(0);
    const rows = sequences.reduce((sum, { cfgScale }) => sum + (cfgScale > 1 ? 2 : 1), 0);
    const captions = sequences.flatMap(({ caption }) => caption ?? []);
    await engine.prepare(Math.min(rows, engine.capacity), window, captions);
    report(1);
    const together = profiler ? 1 : sequences.length;
    await pictureQueue(vq).prepare([gridSize, gridSize], together);
    report(2);
    this.#compile.end();
    endCompile?.();
  }

  async *#images(
    { sequences, first, preview }: RunBatch,
    all: readonly Events[],
    atEnd: () => Promise<void>,
  ): AsyncGenerator<GeneratedImage, void> {
    const known = sequences.map(() => 0);
    const { blockSize } = this.#model.config.gpt;
    const onTokens = (i: number, done: number): void => {
      known[i] = done;
      this.#tokens.report(first * blockSize + known.reduce((a, b) => a + b, 0));
      if (known.some((n) => n < blockSize)) return;
      this.#tokens.end();
      this.#decode.begin();
      if (this.#decoded === 0) this.#decode.report(0);
    };
    const onImage = (): void => {
      this.#decode.report(++this.#decoded);
      if (this.#decoded === first + sequences.length) this.#decode.end();
    };
    const images = all.map(async (events, i) => {
      const one = sequences[i];
      for await (const event of events) {
        if (event.type === 'tokens') onTokens(i, event.done);
        if (event.type === 'preview') {
          const { done, picture } = event;
          preview?.onPreview({ index: first + i, done, total: blockSize, picture });
        }
        if (event.type !== 'image' || !event.picture || !one) continue;
        onImage();
        this.#passes[first + i] = event.passes;
        const { tokens, picture } = event;
        return { ...picture, classIndex: one.label, seed: one.seed, tokens };
      }
      throw new Error(`image ${first + i}: the engine gave none`);
    });
    for (const image of images) image.catch(() => {}); // told to whoever comes to it
    try {
      for (const image of images) yield await image;
      await atEnd();
    } finally {
      for (const events of all) void events.return?.();
      this.#tokens.end();
      this.#decode.end();
    }
  }
}

type Before = EngineStats & { readonly tokensMs: number };

/** What the engine has done in between. */
const runOf = (before: Before, after: Before): RunStats => ({
  steps: after.steps - before.steps,
  chunks: after.chunks - before.chunks,
  ms: after.tokensMs - before.tokensMs,
  encodeMs: after.encodeMs - before.encodeMs,
  ...(after.device && {
    device: {
      ms: after.device.ms - (before.device?.ms ?? 0),
      idleMs: after.device.idleMs - (before.device?.idleMs ?? 0),
    },
  }),
});
