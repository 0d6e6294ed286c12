/** From classes and seeds to pictures. */

import { decodePicture, keptDecoder, type Picture } from '../engine/images.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { checkModel, type Model } from '../load/model.ts';
import { Phase, type Progress } from './progress.ts';
import type { RunStats } from './run-steps.ts';
import { generateSettings, type SamplingOptions } from './settings.ts';
import { type Batch, type Sequence, type TokenLoop, tokenLoop } from './token-loop.ts';

export interface GenerateOptions extends SamplingOptions {
  /** Class index of each image. */
  readonly classes: readonly number[];
  /** Image i draws with seed + i. Default 0. */
  readonly seed?: number;
  /** Most images generated side by side; a choice of speed and memory only. Default 16. */
  readonly batch?: number;
  /** Stops within one chunk of steps; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Follows the run, which it slows down a little. */
  readonly profiler?: Profiler;
}

export interface GeneratedImage extends Picture {
  readonly classIndex: number;
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
}

export interface GenerateResult extends GenerateStats {
  readonly images: readonly GeneratedImage[];
}

/**
 * Generates one image per entry of `classes`. An image depends on its class, its seed and the
 * sampling settings only: not on the batch it is in, nor on its place there.
 * @throws OptionError when a setting is out of range, WeightsError when the weights give numbers that are
 * not finite and so no picture, DeviceError when the device fails, the signal's reason when aborted.
 */
export async function generate(model: Model, options: GenerateOptions): Promise<GenerateResult> {
  const images: GeneratedImage[] = [];
  const run = generateImages(model, options);
  for (;;) {
    const { done, value } = await run.next();
    if (done) return { images, ...value };
    images.push(value);
  }
}

/**
 * `generate` image by image, in their order: each is there as soon as the tokens of its batch and its
 * pixels are, and no more than a batch is in memory at once. Returns what the run took. The model is
 * free for others whenever an image is given.
 * @throws What `generate` throws, when the first or the next image is asked for.
 */
export async function* generateImages(
  model: Model,
  options: GenerateOptions,
): AsyncGenerator<GeneratedImage, GenerateStats> {
  checkModel('generate', model);
  const { sequences, guided, batch: most } = generateSettings(model.config, options);
  const { signal, onProgress, profiler } = options;
  signal?.throwIfAborted();
  const { gridSize, blockSize } = model.config.gpt;
  const batches = Math.ceil(sequences.length / most);
  const run: Run = {
    model,
    options,
    batch: { sequences: Math.ceil(sequences.length / batches), guided },
    compile: new Phase('compile', 2, onProgress),
    tokens: new Phase('tokens', blockSize * sequences.length, onProgress),
    stats: [],
  };
  const decode = new Phase('decode', sequences.length, onProgress);
  let done = 0;
  while (done < sequences.length) {
    for (const drawn of await drawBatch(run, sequences, done)) {
      signal?.throwIfAborted();
      decode.begin();
      if (done === 0) decode.report(0);
      const toDecode = { grid: [gridSize, gridSize], tokens: drawn.tokens, index: done } as const;
      const isLast = ++done === sequences.length;
      const picture = await decodePicture(model, toDecode, profiler, isLast);
      decode.report(done);
      decode.end();
      yield { ...picture, ...drawn };
    }
  }
  const timings = { compileMs: run.compile.ms, tokensMs: run.tokens.ms, decodeMs: decode.ms };
  return { timings, runs: run.stats };
}

/** What the batches of one call share. */
interface Run {
  readonly model: Model;
  readonly options: GenerateOptions;
  readonly batch: Batch;
  readonly compile: Phase;
  readonly tokens: Phase;
  readonly stats: RunStats[];
}

/** An image before it is decoded. */
type Drawn = Pick<GeneratedImage, 'classIndex' | 'seed' | 'tokens'>;

/** Draws the tokens of the batch that begins with sequence `first`. */
function drawBatch(run: Run, sequences: readonly Sequence[], first: number): Promise<Drawn[]> {
  const { model, options, batch, tokens } = run;
  const { signal, profiler } = options;
  const { blockSize: steps } = model.config.gpt;
  const real = sequences.slice(first, first + batch.sequences);
  return model.gpt.exclusive(async () => {
    const loop = await compiled(run, first === 0);
    tokens.begin();
    if (first === 0) tokens.report(0);
    loop.start(padded(real, batch.sequences));
    const stats = await loop.run(steps, {
      ...(signal && { signal }),
      ...(profiler && { profiler }),
      onStep: (done) => tokens.report(first * steps + done * real.length),
    });
    run.stats.push(stats);
    const endRead = profiler?.begin('readback');
    const all = await loop.readTokens(first);
    endRead?.();
    tokens.end();
    return real.map(({ label, seed }, i) => ({
      classIndex: label,
      seed,
      tokens: all.slice(i * steps, (i + 1) * steps),
    }));
  });
}

/**
 * The programs of a run. They are kept from batch to batch, unless another call wants another shape
 * in between. Only inside the decoder's `exclusive`.
 */
async function compiled(
  { model: { gpt, vq }, options, batch, compile }: Run,
  isFirst: boolean,
): Promise<TokenLoop> {
  const { gridSize } = gpt.config;
  const shape = `${batch.sequences}${batch.guided ? ' guided' : ''}`;
  const report = (done: number): void => {
    if (isFirst) compile.report(done);
  };
  const endCompile = options.profiler?.begin('compile');
  compile.begin();
  report(0);
  const loop = await gpt.kept('token loop', shape, () => tokenLoop(gpt, batch));
  report(1);
  await vq.exclusive(() => keptDecoder(vq, [gridSize, gridSize]));
  report(2);
  compile.end();
  endCompile?.();
  return loop;
}

/** A short last batch is filled up with its first sequence; what that makes is dropped. */
function padded(sequences: readonly Sequence[], size: number): readonly Sequence[] {
  const [first] = sequences;
  if (!first) throw new RangeError('a batch without sequences');
  return Array.from({ length: size }, (_, i) => sequences[i] ?? first);
}
