/** One batch size, measured in this process on a device of its own. */
import type { MatrixDType } from '../../kernels/kernel.ts';
import { type ImageDecoder, imageDecoder } from '../../src/engine/images.ts';
import { generateSettings } from '../../src/generate/settings.ts';
import { shapeOf } from '../../src/generate/token-loop.ts';
import { type KernelTime, profile } from '../../src/gpu/profile.ts';
import type { Program } from '../../src/gpu/program.ts';
import { loadModel, type MemoryUse, type TokenLoop, tokenLoop } from '../../src/index.ts';
import { type NodeDevice, openDevice } from '../../src/node/device.ts';
import type { ModelFiles } from '../../src/weights/source.ts';
import { repeat, type Timing, timed, timing } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import { type StepShape, stepShape } from '../step-shape.ts';

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
  readonly shape: StepShape;
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
  /** Time per kernel of one step and of one decode; absent without `timestamp-query`. */
  readonly kernels?: {
    readonly step: readonly KernelTime[];
    readonly decode: readonly KernelTime[];
  };
}

/** Planning, compiling, allocating and binding a program for the first time on a device. */
export interface BuildResult {
  readonly ms: number;
  readonly dispatches: number;
  readonly pipelines: number;
}

/** Class of image i, the same in every batch and in the command. */
export const classOf = (image: number, numClasses: number): number => image % numClasses;

/**
 * @param checkAdapter Throws when the device is not of the adapter that is measured.
 * @throws Error when two runs make different tokens or pixels.
 */
export async function measureBatch(
  files: ModelFiles,
  images: number,
  runs: number,
  tokenCheck: SameCheck,
  checkAdapter: (opened: NodeDevice) => void,
): Promise<BatchResult> {
  const opened = await openDevice();
  const { device, close } = opened;
  try {
    checkAdapter(opened);
    const model = await loadModel(device, files);
    const { gpt } = model.config;
    const { precision } = model.gpt;
    const classes = Array.from({ length: images }, (_, i) => classOf(i, gpt.numClasses));
    const { sequences, guided } = generateSettings(model.config, { classes, seed: SEED });
    const batch = { sequences: images, guided };
    const loop = await timed(() => tokenLoop(model.gpt, batch));
    const { gridSize, blockSize: steps } = gpt;
    const decoder = await timed(() => imageDecoder(model.vq, [gridSize, gridSize]));

    const tokenRuns = await repeat(runs, async (run) => {
      const result = await timeTokens(loop.result, sequences, steps);
      for (const [i, grid] of result.grids.entries()) {
        tokenCheck.check(`batch of ${images}, run ${run}`, i, grid);
      }
      return result;
    });
    const grids = tokenRuns[0]?.grids ?? [];
    const decodeMs = await timeDecodes(decoder.result, grids, runs);
    const memory = model.memory;
    const step = await profile(model.gpt.memory, loop.result.program);
    const decode = await profile(model.vq.memory, decoder.result.program);
    return {
      images,
      rows: images * (guided ? 2 : 1),
      steps,
      dtype: precision.dtype,
      kvDtype: precision.kvDtype,
      shape: stepShape(gpt, shapeOf(batch), precision),
      decoderBuild: buildOf(loop.ms, loop.result.program),
      tokenizerBuild: buildOf(decoder.ms, decoder.result.program),
      stepMs: timing(tokenRuns.map((run) => run.stepMs)),
      encodeUs: timing(tokenRuns.map((run) => run.encodeUs)),
      decodeMs,
      memory,
      ...(step && decode && { kernels: { step, decode } }),
    };
  } finally {
    close();
  }
}

async function timeTokens(
  loop: TokenLoop,
  sequences: Parameters<TokenLoop['start']>[0],
  steps: number,
) {
  const before = { ...loop.encode };
  const { ms } = await timed(async () => {
    loop.start(sequences);
    await loop.run(steps);
  });
  const encodeUs = ((loop.encode.ms - before.ms) / (loop.encode.steps - before.steps)) * 1000;
  const tokens = await loop.readTokens();
  const grids = sequences.map((_, i) => tokens.slice(i * steps, (i + 1) * steps));
  return { stepMs: ms / steps, encodeUs, grids };
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

function buildOf(ms: number, { steps }: Program): BuildResult {
  const pipelines = new Set(steps.map(({ pipeline }) => pipeline)).size;
  return { ms, dispatches: steps.length, pipelines };
}
