/** From classes and seeds to pictures. */
import type { Profiler } from '../gpu/profiler.ts';
import { decodeTokens, keptDecoder, type Picture } from './images.ts';
import { checkModel, type Model } from './model.ts';
import type { RunStats } from './run-steps.ts';
import { generateSettings, type SamplingOptions } from './settings.ts';
import { type Sequence, tokenLoop } from './token-loop.ts';

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

/** `compile` counts programs, `tokens` tokens of all images, `decode` images. */
export interface Progress {
  readonly phase: 'compile' | 'tokens' | 'decode';
  readonly done: number;
  readonly total: number;
  /** Since the phase began. */
  readonly elapsedMs: number;
}

export interface GeneratedImage extends Picture {
  readonly classIndex: number;
  readonly seed: number;
  /** Row by row, u32 [gridSize * gridSize]. */
  readonly tokens: Uint32Array<ArrayBuffer>;
}

export interface GenerateResult {
  readonly images: readonly GeneratedImage[];
  readonly timings: {
    readonly compileMs: number;
    readonly tokensMs: number;
    readonly decodeMs: number;
  };
  /** Of each batch of the token loop. */
  readonly runs: readonly RunStats[];
}

/**
 * Generates one image per entry of `classes`. An image depends on its class, its seed and the
 * sampling settings only: not on the batch it is in, nor on its place there.
 * @throws OptionError when a setting is out of range, WeightsError when the weights give numbers that are
 * not finite and so no picture, DeviceError when the device fails, the signal's reason when aborted.
 */
export async function generate(model: Model, options: GenerateOptions): Promise<GenerateResult> {
  checkModel('generate', model);
  const { sequences, guided, batch: most } = generateSettings(model.config, options);
  const { signal, onProgress, profiler } = options;
  signal?.throwIfAborted();
  const { gridSize, blockSize: steps } = model.config.gpt;
  const phase = (name: Progress['phase'], total: number) => {
    const started = performance.now();
    const elapsed = (): number => performance.now() - started;
    const report = (done: number): void =>
      onProgress?.({ phase: name, done, total, elapsedMs: elapsed() });
    report(0);
    return { report, elapsed };
  };

  const batches = Math.ceil(sequences.length / most);
  const batch = { sequences: Math.ceil(sequences.length / batches), guided };
  const shape = `${batch.sequences}${guided ? ' guided' : ''}`;
  const grids: Uint32Array<ArrayBuffer>[] = [];
  const runs: RunStats[] = [];
  const { compileMs, tokensMs } = await model.gpt.exclusive(async () => {
    const compile = phase('compile', 2);
    const endCompile = profiler?.begin('compile');
    const loop = await model.gpt.kept('token loop', shape, () => tokenLoop(model.gpt, batch));
    compile.report(1);
    await model.vq.exclusive(() => keptDecoder(model.vq, [gridSize, gridSize]));
    compile.report(2);
    const compileMs = compile.elapsed();
    endCompile?.();

    const tokens = phase('tokens', steps * sequences.length);
    for (let first = 0; first < sequences.length; first += batch.sequences) {
      const real = sequences.slice(first, first + batch.sequences);
      loop.start(padded(real, batch.sequences));
      const run = await loop.run(steps, {
        ...(signal && { signal }),
        ...(profiler && { profiler }),
        onStep: (done) => tokens.report(first * steps + done * real.length),
      });
      runs.push(run);
      const endRead = profiler?.begin('readback');
      const all = await loop.readTokens(first);
      endRead?.();
      grids.push(...real.map((_, i) => all.slice(i * steps, (i + 1) * steps)));
    }
    return { compileMs, tokensMs: tokens.elapsed() };
  });

  const decode = phase('decode', sequences.length);
  const pictures = await decodeTokens(model, grids, {
    ...(signal && { signal }),
    ...(profiler && { profiler }),
    onProgress: decode.report,
  });
  const images = sequences.map(({ label, seed }, i): GeneratedImage => {
    const [picture, grid] = [pictures[i], grids[i]];
    if (!picture || !grid) throw new Error(`image ${i} is missing`);
    return { ...picture, classIndex: label, seed, tokens: grid };
  });
  return { images, timings: { compileMs, tokensMs, decodeMs: decode.elapsed() }, runs };
}

/** A short last batch is filled up with its first sequence; what that makes is dropped. */
function padded(sequences: readonly Sequence[], size: number): readonly Sequence[] {
  const [first] = sequences;
  if (!first) throw new RangeError('a batch without sequences');
  return Array.from({ length: size }, (_, i) => sequences[i] ?? first);
}
