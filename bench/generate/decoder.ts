/** Decoding steps of a network with random weights: time, what JavaScript takes, the floor. */
import { costOf } from '../../kernels/cost.ts';
import { packRows } from '../../kernels/lib/row-table.ts';
import {
  type Sequence,
  shapeOf,
  type TokenLoop,
  tokenLoop,
} from '../../src/generate/token-loop.ts';
import { Graph } from '../../src/graph/graph.ts';
import { gptConfig, type MemoryUse } from '../../src/index.ts';
import { gptDecoder, type PassShape } from '../../src/models/gpt.ts';
import type { GptConfig, GptSize } from '../../src/models/gpt-config.ts';
import type { Precision } from '../../src/models/precision.ts';
import { randomNetwork } from '../gpu/random-network.ts';
import { familyOf, workOf } from '../kernels/families.ts';
import { floorOf } from '../kernels/measure.ts';
import type { Limits } from '../limits/measure.ts';
import { assertFinite, Refusal } from '../refusal.ts';
import { type Timing, timed, timing } from '../repeat.ts';
import type { SameCheck } from '../same-check.ts';
import type { BenchDevice } from '../session.ts';
import type { Grid } from '../settings.ts';

export interface StepCase {
  readonly model: GptSize;
  readonly grid: Grid;
  /** Images drawn side by side, with guidance: two rows each. */
  readonly classes: number;
}

export interface StepResult extends StepCase {
  readonly name: string;
  readonly rows: number;
  readonly dtype: string;
  readonly kvDtype: string;
  /** Steps that were timed, and the position of the first. */
  readonly steps: number;
  readonly position: number;
  /** Making the random weights on the GPU. */
  readonly weightsMs: number;
  /** Planning, compiling and binding the program. */
  readonly buildMs: number;
  readonly dispatches: number;
  /** As `generate` runs them: in chunks, one queued behind the other. */
  readonly stepMs: Timing;
  readonly encodeUs: number;
  /** The device's time for a step when everything was encoded before. */
  readonly deviceMs: number;
  /** Share of the time that the device waits for JavaScript: 1 - deviceMs / stepMs. */
  readonly waitShare: number;
  readonly floorMs: number;
  /** floorMs / stepMs. */
  readonly floorShare: number;
  readonly memory: MemoryUse;
}

/** A longer time is not waited for. */
const MOST_STEPS = 1024;
/** Steps encoded into one pass for the time on the device. */
const MOST_ENCODED = 32;
const SAMPLING = { cfgScale: 2, cfgInterval: -1, temperature: 1, topK: 2000, topP: 1 };

export const stepName = ({ model, grid, classes }: StepCase): string =>
  `${model} ${grid}x${grid}, ${classes} class${classes === 1 ? '' : 'es'}`;

/** The least a step at a position must move and compute, by its graph. */
export function stepFloorMs(
  config: GptConfig,
  pass: PassShape,
  precision: Precision,
  position: number,
  limits: Limits,
): number {
  const g = new Graph();
  gptDecoder(g, config, pass, precision);
  const total = g.nodes.reduce(
    (sum, { kernel }) => {
      const family = familyOf(kernel);
      const work = family ? workOf(kernel, family, position) : costOf(kernel);
      return { bytes: sum.bytes + work.bytes, operations: sum.operations + work.operations };
    },
    { bytes: 0, operations: 0 },
  );
  // Products of few rows run beside the reads: the bytes alone are the floor of a step.
  return floorOf({ ...total, operations: 0 }, limits) / 1000;
}

export interface StepOptions {
  readonly precision: Precision;
  readonly limits: Limits;
  readonly runs: number;
  /** Time that the steps of a run should take, milliseconds; fewer steps where they are slow. */
  readonly runMs: number;
  /** What other batches of the same decoder and grid drew for the same images from a position. */
  readonly sameAt: (position: number) => SameCheck;
}

/**
 * Times steps in the middle of an image, where the KV cache is as long as on average; whole images
 * where those are fast enough.
 * @throws Refusal when logits are not finite; Error when two runs draw different tokens.
 */
export async function measureSteps(
  d: BenchDevice,
  one: StepCase,
  options: StepOptions,
): Promise<StepResult> {
  const { precision, limits, runs, runMs, sameAt } = options;
  const config = gptConfig(one.model, one.grid);
  const batch = { sequences: one.classes, guided: true };
  const name = stepName(one);
  const made = await timed(() =>
    randomNetwork(
      d.memory,
      config,
      precision,
      (g) => void gptDecoder(g, config, shapeOf(batch), precision),
    ),
  );
  const built = await timed(() => tokenLoop(made.result, batch));
  const loop = built.result;
  const classes = Array.from({ length: one.classes }, (_, i) => (i * 37) % config.numClasses);
  const sequences = settingsOf(classes, config);
  const start = (position: number): void => startAt(d, loop, sequences, position);
  const middle = config.blockSize >> 1;
  start(middle);
  const first = await timed(() => loop.run(1));
  start(middle);
  const warm = await timed(() => loop.run(2));
  const possible = Math.floor(runMs / Math.max(warm.ms / 2, 1e-3));
  const whole = possible >= config.blockSize;
  const [position, steps] = whole
    ? [0, config.blockSize]
    : [middle, Math.max(2, Math.min(possible, config.blockSize - middle, MOST_STEPS))];
  const times = [first.ms];
  const before = { ...loop.encode };
  for (let run = 0; run < Math.max(2, runs); run++) {
    start(position);
    times.push((await timed(() => loop.run(steps))).ms / steps);
    await checkTokens(
      loop,
      config,
      one.classes,
      `${name}, run ${run}`,
      position,
      steps,
      sameAt(position),
    );
  }
  assertFinite(`${name}: logits`, await loop.readLogits());
  const encodeUs = (1000 * (loop.encode.ms - before.ms)) / (loop.encode.steps - before.steps);
  const stepMs = timing(times);
  const encoded = Math.min(steps, MOST_ENCODED);
  let deviceMs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 2; run++) {
    start(middle - (whole ? encoded >> 1 : 0));
    const us = await d.clock.pass((pass) => {
      for (let i = 0; i < encoded; i++) loop.program.encode(pass);
    });
    deviceMs = Math.min(deviceMs, us / 1000 / encoded);
  }
  const floorMs = stepFloorMs(config, shapeOf(batch), precision, middle, limits);
  return {
    ...{ ...one, name, rows: 2 * one.classes, steps, position, stepMs, encodeUs, deviceMs },
    dtype: precision.dtype,
    kvDtype: precision.kvDtype,
    weightsMs: made.ms,
    buildMs: built.ms,
    dispatches: loop.program.steps.length,
    waitShare: Math.max(0, 1 - deviceMs / stepMs.min),
    floorMs,
    floorShare: floorMs / stepMs.min,
    memory: d.memory.use,
  };
}

/** Image i draws its class with seed 7 + i, whatever the batch. */
function settingsOf(classes: readonly number[], config: GptConfig): readonly Sequence[] {
  const sampling = { ...SAMPLING, greedy: false, given: 0 };
  return classes.map((label, i) => {
    if (label >= config.numClasses) throw new RangeError(`class ${label}`);
    return { ...sampling, label, seed: 7 + i };
  });
}

/** Puts all rows at a position; what stands before it is token 0 and an empty cache. */
function startAt(
  { device }: BenchDevice,
  loop: TokenLoop,
  sequences: readonly Sequence[],
  position: number,
): void {
  loop.start(sequences);
  const rows = 2 * sequences.length;
  const stands = Array.from({ length: rows }, (_, slot) => {
    return { slot, position, sequence: slot % sequences.length, condition: 0 };
  });
  device.queue.writeBuffer(loop.program.bufferOf(loop.gpt.rowTable), 0, packRows(stands));
}

async function checkTokens(
  loop: TokenLoop,
  { blockSize, vocabSize }: GptConfig,
  images: number,
  run: string,
  position: number,
  steps: number,
  same: SameCheck,
): Promise<void> {
  const tokens = await loop.readTokens();
  for (let image = 0; image < images; image++) {
    const from = image * blockSize + position;
    const drawn = tokens.subarray(from, from + Math.min(steps, 2));
    const bad = tokens.subarray(from, from + steps).findIndex((t) => t >= vocabSize);
    if (bad >= 0) throw new Refusal(`${run}: token ${position + bad} of image ${image} is no code`);
    same.check(run, image, drawn);
  }
}
