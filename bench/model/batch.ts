/** One batch size of a model through the library. */
import type { MatrixDType } from '../../kernels/kernel.ts';
import { type ImageDecoder, imageDecoder } from '../../src/engine/images.ts';
import { generateSettings } from '../../src/generate/settings.ts';
import { type LoadOptions, loadModel, type MemoryUse } from '../../src/index.ts';
import type { ModelFiles } from '../../src/weights/source.ts';
import { repeat, type Timing, timed, timing } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import { stepProgram } from '../step-program.ts';

/** Image i draws with SEED + i, in every batch and in the command. */
export const SEED = 7;

export interface BatchResult {
  readonly images: number;
  /** Rows of a step: two an image with guidance. */
  readonly rows: number;
  readonly steps: number;
  /** Storage of the decoder's matrices and of the KV cache. */
  readonly dtype: MatrixDType;
  readonly kvDtype: 'f32' | 'f16';
  readonly decoderBuild: BuildResult;
  readonly tokenizerBuild: BuildResult;
  /** From the time of a whole image's steps, submitted in chunks as `generate` does. */
  readonly stepMs: Timing;
  /** JavaScript time to encode and submit one step. */
  readonly encodeUs: Timing;
  /** One image, pixels read back. */
  readonly decodeMs: Timing;
  /** GPU bytes after all that, KV cache within `state`. */
  readonly memory: MemoryUse;
}

/** Planning, compiling, allocating and binding a program for the first time on a device. */
export interface BuildResult {
  readonly ms: number;
  readonly dispatches: number;
  readonly pipelines: number;
}

/** Class of image i, the same in every batch and in the command. */
export const classOf = (image: number, numClasses: number): number => image % numClasses;

/** @throws Error when two runs make different tokens or pixels. */
export async function measureBatch(
  device: GPUDevice,
  files: ModelFiles,
  images: number,
  runs: number,
  tokenCheck: SameCheck,
  options: LoadOptions,
): Promise<BatchResult> {
  const model = await loadModel(device, files, options);
  const { gpt } = model.config;
  const { dtype, kvDtype } = model.gpt.precision;
  const classes = Array.from({ length: images }, (_, i) => classOf(i, gpt.numClasses));
  const { sequences, guided } = generateSettings(model.config, { classes, seed: SEED });
  const program = await stepProgram(model.gpt, images, guided);
  const { gridSize, blockSize: steps } = gpt;
  const decoder = await timed(() => imageDecoder(model.vq, [gridSize, gridSize]));
  const all = await repeat(runs, async (run) => {
    const result = await program.run(sequences, steps);
    for (const [i, grid] of result.tokens.entries()) {
      tokenCheck.check(`batch of ${images}, run ${run}`, i, grid);
    }
    return result;
  });
  const decodeMs = await timeDecodes(decoder.result, all[0]?.tokens ?? [], runs);
  const { buildMs: ms, dispatches, pipelines, rows } = program;
  const ofDecoder = decoder.result.program.steps;
  return {
    ...{ images, rows, steps, dtype, kvDtype, decodeMs, memory: model.memory },
    decoderBuild: { ms, dispatches, pipelines },
    tokenizerBuild: {
      ms: decoder.ms,
      dispatches: ofDecoder.length,
      pipelines: new Set(ofDecoder.map(({ pipeline }) => pipeline)).size,
    },
    stepMs: timing(all.map((run) => run.stepMs)),
    encodeUs: timing(all.map((run) => run.encodeUs)),
  };
}

/** Decodes the images in turn; each must come out the same whenever its turn comes. */
async function timeDecodes(
  decoder: ImageDecoder,
  grids: readonly Uint32Array[],
  runs: number,
): Promise<Timing> {
  const pixelCheck = new SameCheck('byte');
  const times = await repeat(Math.max(runs, grids.length), async (run) => {
    const image = run % grids.length;
    const { ms, result } = await timed(() => decoder.decode(grids[image] ?? []));
    pixelCheck.check(`decode ${run}`, image, result.rgba);
    return ms;
  });
  return timing(times);
}
