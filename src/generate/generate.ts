/** From classes or captions and seeds to pictures. */

import {
  BatchRun,
  type GeneratedImage,
  type GenerateStats,
  type Preview,
} from '../engine/batch-run.ts';
import { createEngine } from '../engine/engine.ts';
import type { Engine } from '../engine/engine-types.ts';
import type { Progress } from '../engine/progress.ts';
import type { SamplingOptions } from '../engine/sampling-options.ts';
import { withSharedEngine } from '../engine/shared-engine.ts';
import type { Profiler } from '../gpu/profiler.ts';
import type { Fingerprint } from '../load/fingerprint.ts';
import { checkModel, type Model } from '../load/model.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import { generateSettings } from './settings.ts';

export type { GeneratedImage, GenerateStats, Preview };

export interface GenerateOptions extends SamplingOptions {
  /** Class index of each image, for a model of classes. */
  readonly classes?: readonly number[] | undefined;
  /** Of each image, for a model of texts: what its text encoder makes of a prompt. */
  readonly captions?: readonly CaptionFeatures[] | undefined;
  /** Image i draws with seed + i. Default 0. */
  readonly seed?: number | undefined;
  /** Most images generated side by side; a choice of speed and memory only. Default 16. */
  readonly batch?: number | undefined;
  /**
   * Positions that a pass computes of each image, from 1 to 64: the first draws a token, the others guess
   * at theirs and save passes where they are right. A choice of speed only. It is cut to the grid, and
   * to the rows of a pass, which images side by side share. Default `auto`: as many as pay.
   */
  readonly window?: number | 'auto' | undefined;
  /** Stops within one chunk of steps; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Tokens that every grid begins with, row by row; the rest is drawn. Default none. */
  readonly prefix?: ArrayLike<number> | undefined;
  /**
   * Called with the picture so far of the first image of each batch, every `previewEvery` tokens, which
   * it needs. What is not drawn yet is transparent.
   */
  readonly onPreview?: ((preview: Preview) => void) | undefined;
  readonly previewEvery?: number | undefined;
  /** Follows the run, which it slows down a little. */
  readonly profiler?: Profiler | undefined;
}

export interface GenerateResult extends GenerateStats {
  readonly images: readonly GeneratedImage[];
  /** That of the model: the same with the same options gives the same pixels. */
  readonly fingerprint: Fingerprint;
}

/**
 * Generates one image per entry of `classes` or `captions`. An image depends on its class or caption, its seed and the
 * sampling settings only: not on the batch it is in, nor on its place there.
 * @throws OptionError when a setting is out of range or the model takes the other condition, WeightsError when the weights give numbers that are
 * not finite and so no picture, DeviceError when the device fails, the signal's reason when aborted.
 */
export async function generate(model: Model, options: GenerateOptions): Promise<GenerateResult> {
  const images: GeneratedImage[] = [];
  const run = generateImages(model, options);
  for (;;) {
    const { done, value } = await run.next();
    if (done) return { images, ...value, fingerprint: model.fingerprint };
    images.push(value);
  }
}

/**
 * `generate` image by image, in their order: each is there as soon as its pixels are. No more than a batch
 * is in memory at once, and the next begins when all of it was taken. Returns what the run took. The
 * model is free for others all the time: what they ask for shares the engine.
 * @throws What `generate` throws, when the first or the next image is asked for.
 */
export async function* generateImages(
  model: Model,
  options: GenerateOptions,
): AsyncGenerator<GeneratedImage, GenerateStats> {
  checkModel('generate', model);
  const { sequences, guided, batch: most, window } = generateSettings(model.config, options);
  const { signal, onProgress, profiler, onPreview, previewEvery } = options;
  const preview = onPreview && previewEvery !== undefined ? { onPreview, previewEvery } : undefined;
  signal?.throwIfAborted();
  const batches = Math.ceil(sequences.length / most);
  const size = Math.ceil(sequences.length / batches);
  const slots = guided ? 2 : 1;
  const wanted = { capacity: size * slots, least: slots };
  const run = new BatchRun(model, sequences.length, onProgress);
  const own = profiler && (await createEngine(model, { capacity: wanted.capacity, profiler }));
  try {
    for (let first = 0; first < sequences.length; first += size) {
      signal?.throwIfAborted();
      const batch = {
        sequences: sequences.slice(first, first + size),
        first,
        window,
        signal,
        profiler,
        preview,
      };
      const begin = (engine: Engine) => run.begin(engine, batch);
      yield* await (own ? begin(own) : withSharedEngine(model, wanted, begin));
    }
  } finally {
    own?.destroy();
  }
  return run.stats;
}
