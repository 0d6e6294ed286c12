/**
 * A decoder as a program that makes steps: the one place where the bench knows how the library runs
 * them.
 */
import { type Sequence, shapeOf, tokenLoop } from '../src/engine/token-loop.ts';
import type { Stopwatch } from '../src/gpu/stopwatch.ts';
import type { Graph } from '../src/graph/graph.ts';
import type { Network } from '../src/load/network.ts';
import { gptDecoder } from '../src/models/gpt.ts';
import type { GptConfig } from '../src/models/gpt-config.ts';
import type { Precision } from '../src/models/precision.ts';
import { timed } from './repeat.ts';

export type { Sequence };

/** The graph of a step. */
export const stepGraph =
  (config: GptConfig, images: number, precision: Precision, guided = true) =>
  (g: Graph): void =>
    void gptDecoder(g, config, shapeOf({ sequences: images, guided }), precision);

/** An image to draw, on what the bench lets vary. */
export const drawing = (
  one: Pick<Sequence, 'label' | 'seed' | 'cfgScale' | 'topK' | 'greedy'>,
): Sequence => ({ ...one, cfgInterval: -1, temperature: 1, topP: 1, given: 0 });

export interface StepRun {
  /** Milliseconds a step, as `generate` runs them: in chunks, one queued behind the other. */
  readonly stepMs: number;
  /** JavaScript time to encode and submit one step. */
  readonly encodeUs: number;
  /** Of each image, the tokens that were drawn. */
  readonly tokens: readonly Uint32Array[];
}

export interface StepProgram {
  /** Planning, compiling and binding it. */
  readonly buildMs: number;
  /** Of a step. */
  readonly dispatches: number;
  readonly pipelines: number;
  /** Two an image with guidance. */
  readonly rows: number;
  /**
   * Draws tokens of every image, from `position` on, where what stands before is token 0 and an empty
   * cache.
   */
  run(sequences: readonly Sequence[], steps: number, position?: number): Promise<StepRun>;
  /** The device's milliseconds for a step when `steps` were encoded before. */
  deviceMs(
    clock: Stopwatch,
    sequences: readonly Sequence[],
    steps: number,
    position: number,
  ): Promise<number>;
  /** What the last tokens were drawn from. */
  readLogits(): Promise<Float32Array>;
  destroy(): void;
}

/** @param images Drawn side by side. */
export async function stepProgram(
  network: Network<GptConfig>,
  images: number,
  guided: boolean,
): Promise<StepProgram> {
  const { config } = network;
  const built = await timed(() => tokenLoop(network, { sequences: images, guided }));
  const loop = built.result;
  const { steps } = loop.program;
  const rows = images * (guided ? 2 : 1);
  return {
    buildMs: built.ms,
    dispatches: steps.length,
    pipelines: new Set(steps.map(({ pipeline }) => pipeline)).size,
    rows,
    async run(sequences, count, position = 0) {
      const before = { ...loop.encode };
      const { ms } = await timed(async () => {
        loop.start(sequences, position);
        await loop.run(count);
      });
      const encodeMs = (loop.encode.ms - before.ms) / (loop.encode.steps - before.steps);
      const all = await loop.readTokens();
      const tokens = sequences.map((_, image) => {
        const from = image * config.blockSize + position;
        return all.slice(from, from + count);
      });
      return { stepMs: ms / count, encodeUs: encodeMs * 1000, tokens };
    },
    async deviceMs(clock, sequences, count, position) {
      loop.start(sequences, position);
      const us = await clock.time((pass) => {
        for (let i = 0; i < count; i++) loop.program.encode(pass);
      });
      return us / 1000 / count;
    },
    readLogits: () => loop.readLogits(),
    destroy: () => loop.destroy(),
  };
}
