/** Steps of a decoder with random weights: time, what JavaScript takes, the floor. */
import { costOf } from '../../kernels/cost.ts';
import { floorUs } from '../../src/gpu/limits.ts';
import { Graph } from '../../src/graph/graph.ts';
import { gptConfig, type MemoryUse } from '../../src/index.ts';
import type { GptConfig, GptSize } from '../../src/models/gpt-config.ts';
import type { Precision } from '../../src/models/precision.ts';
import { deviceLimits, type Limits } from '../limits.ts';
import { randomNetwork, weightBytes } from '../random-network.ts';
import { assertFinite, Refusal } from '../refusal.ts';
import { type Timing, timing } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import type { BenchDevice, Session } from '../session.ts';
import type { Grid } from '../settings.ts';
import { drawing, type Sequence, stepGraph, stepProgram } from '../step-program.ts';

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

export const stepName = ({ model, grid, classes }: StepCase): string =>
  `${model} ${grid}x${grid}, ${classes} class${classes === 1 ? '' : 'es'}`;

/** Image i draws its class with seed 7 + i, whatever the batch. */
const sequencesOf = (count: number, { numClasses }: GptConfig): Sequence[] =>
  Array.from({ length: count }, (_, i) =>
    drawing({ label: (i * 37) % numClasses, seed: 7 + i, cfgScale: 2, topK: 2000, greedy: false }),
  );

/** Times cases of a suite, and compares what they draw: an image is the same in every batch. */
export class Steps {
  readonly #session: Session;
  readonly #limits: Limits;
  readonly #runs: number;
  readonly #runMs: number;
  readonly #checks = new Map<string, SameCheck>();

  /** @param runMs What the steps of a run should take, milliseconds; fewer steps where they are slow. */
  private constructor(session: Session, limits: Limits, runs: number, runMs: number) {
    this.#session = session;
    this.#limits = limits;
    this.#runs = Math.max(2, runs);
    this.#runMs = runMs;
  }

  static async of(session: Session, runs: number, runMs: number): Promise<Steps> {
    return new Steps(session, await session.limits(), runs, runMs);
  }

  /** Bytes of the weights of a case. */
  weightBytes({ device }: BenchDevice, one: StepCase): number {
    return weightBytes(graphOf(one, this.#session.precision(device)));
  }

  /**
   * Times steps in the middle of an image, where the KV cache is as long as on average; whole images
   * where those are fast enough.
   * @throws Refusal when logits are not finite; Error when two runs draw different tokens.
   */
  async measure(d: BenchDevice, one: StepCase): Promise<StepResult> {
    const precision = this.#session.precision(d.device);
    const config = gptConfig(one.model, one.grid);
    const define = graphOf(one, precision);
    const name = stepName(one);
    const network = await randomNetwork(d.memory, config, precision, define);
    const program = await stepProgram(network, one.classes, true);
    const sequences = sequencesOf(one.classes, config);
    const middle = config.blockSize >> 1;
    const first = await program.run(sequences, 1, middle);
    const warm = await program.run(sequences, 2, middle);
    const possible = Math.floor(this.#runMs / Math.max(warm.stepMs, 1e-3));
    const whole = possible >= config.blockSize;
    const [position, steps] = whole
      ? [0, config.blockSize]
      : [middle, Math.max(2, Math.min(possible, config.blockSize - middle, MOST_STEPS))];
    const same = this.#sameAt(one, position);
    const times = [first.stepMs];
    let encodeUs = 0;
    for (let run = 0; run < this.#runs; run++) {
      const done = await program.run(sequences, steps, position);
      times.push(done.stepMs);
      encodeUs += done.encodeUs / this.#runs;
      for (const [image, tokens] of done.tokens.entries()) {
        const bad = tokens.findIndex((t) => t >= config.vocabSize);
        if (bad >= 0) throw new Refusal(`${name}: token ${position + bad} of image ${image}`);
        same.check(`${name}, run ${run}`, image, tokens.subarray(0, 2));
      }
    }
    const encoded = Math.min(steps, MOST_ENCODED);
    const from = middle - (whole ? encoded >> 1 : 0);
    let deviceMs = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 2; run++) {
      deviceMs = Math.min(deviceMs, await program.deviceMs(d.clock, sequences, encoded, from));
    }
    assertFinite(`${name}: logits`, await program.readLogits());
    const stepMs = timing(times);
    const floorMs = stepFloorMs(define, this.#limits);
    const { buildMs, dispatches, rows } = program;
    return {
      ...{ ...one, name, rows, steps, position, stepMs, encodeUs, deviceMs, buildMs, dispatches },
      dtype: precision.dtype,
      kvDtype: precision.kvDtype,
      waitShare: Math.max(0, 1 - deviceMs / stepMs.min),
      floorMs,
      floorShare: floorMs / stepMs.min,
      memory: d.memory.use,
    };
  }

  /** What other batches of the same decoder and grid drew for the same images from a position. */
  #sameAt({ model, grid }: StepCase, position: number): SameCheck {
    const key = `${model} ${grid} ${position}`;
    const check = this.#checks.get(key) ?? new SameCheck('token');
    this.#checks.set(key, check);
    return check;
  }
}

const graphOf = ({ model, grid, classes }: StepCase, precision: Precision) =>
  stepGraph(gptConfig(model, grid), classes, precision);

/** The time to move what a step must: products of few rows run beside the reads. */
export function stepFloorMs(define: (g: Graph) => void, limits: Limits): number {
  const g = new Graph();
  define(g);
  const bytes = g.nodes.reduce((sum, { kernel }) => sum + costOf(kernel).bytes, 0);
  return floorUs({ bytes, operations: 0 }, deviceLimits(limits)) / 1000;
}
