/**
 * The token loop: a program that moves every sequence of a batch one token on, encoded again and
 * again. Tokens never leave the GPU between steps; nothing is created per token.
 */
import { packSampling, type Sampling } from '../../kernels/lib/sampling.ts';
import { build, type Program } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type Batch, type GptDecoder, gptDecoder, slotsOf } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { ropeTable } from '../models/rope-table.ts';
import type { Network } from './network.ts';
import { type Pace, type RunOptions, type RunStats, runSteps } from './run-steps.ts';

/** One image to be. */
export interface Sequence extends Sampling {
  /** Class index. */
  readonly label: number;
  /** Tokens to force instead of drawing; with `forced`. */
  readonly tokens?: ArrayLike<number>;
}

export interface TokenLoop {
  readonly batch: Batch;
  readonly program: Program;
  /** Handles of what the program's buffers hold. */
  readonly gpt: GptDecoder;
  /** JavaScript time spent encoding and submitting, since the start: milliseconds and steps. */
  readonly encode: { readonly ms: number; readonly steps: number };
  /** Puts every sequence at its first position. */
  start(sequences: readonly Sequence[]): void;
  /** Moves every sequence `steps` tokens on and waits for the device. */
  run(steps: number, options?: RunOptions): Promise<RunStats>;
  /** The token grids so far: u32 [sequences, blockSize], row by row. */
  readTokens(): Promise<Uint32Array<ArrayBuffer>>;
  /** What the sampler was given in the last step: f32 [sequences, vocabSize]. */
  readLogits(): Promise<Float32Array<ArrayBuffer>>;
  /** What the last token was drawn from: f32 [sequences, vocabSize]. */
  readProbs(): Promise<Float32Array<ArrayBuffer>>;
  /** Frees its GPU memory; the weights stay. */
  destroy(): void;
}

/**
 * Builds the loop of a decoder for one batch shape. It is the caller's: use it from one place at a
 * time, and destroy it.
 */
export async function tokenLoop(network: Network<GptConfig>, batch: Batch): Promise<TokenLoop> {
  const { memory, config, precision, watch, weights } = network;
  const g = new Graph();
  const gpt = gptDecoder(g, config, batch, precision);
  const options = { weights, keep: [gpt.logits, gpt.probs] };
  const program = await watch.race(build(memory, g, options));
  const write = (t: Tensor, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void =>
    memory.device.queue.writeBuffer(program.bufferOf(t), 0, data);
  await memory.checked('writing the RoPE table', () => write(gpt.rope, ropeTable(config)));
  let started: Promise<void> = Promise.resolve();
  const pace: Pace = { msPerStep: undefined, encode: { ms: 0, steps: 0 } };
  const read = (t: Tensor): Promise<ArrayBuffer> =>
    watch.race(readBuffer(memory, program.bufferOf(t)));
  return {
    batch,
    program,
    gpt,
    encode: pace.encode,
    start(sequences) {
      watch.check();
      const contents = startOf(network, gpt, batch, sequences);
      started = memory.checked('starting the sequences', () => {
        for (const [tensor, data] of contents) write(tensor, data);
      });
    },
    async run(steps, options) {
      watch.check();
      const stats = await runSteps({ memory, watch, program, pace }, steps, options);
      await started;
      return stats;
    },
    readTokens: async () => new Uint32Array(await read(gpt.tokens)),
    readLogits: async () => new Float32Array(await read(gpt.logits)),
    readProbs: async () => new Float32Array(await read(gpt.probs)),
    destroy: () => program.destroy(),
  };
}

/** What the buffers hold before the first step. */
function startOf(
  network: Network<GptConfig>,
  gpt: GptDecoder,
  batch: Batch,
  sequences: readonly Sequence[],
): readonly (readonly [Tensor, Uint32Array<ArrayBuffer>])[] {
  const { numClasses, blockSize } = network.config;
  if (sequences.length !== batch.sequences) {
    throw new RangeError(`expected ${batch.sequences} sequences, got ${sequences.length}`);
  }
  const slots = slotsOf(batch);
  const place = Uint32Array.from({ length: slots * 2 }, (_, i) => (i % 2 === 0 ? i / 2 : 0));
  const label = new Uint32Array(slots).fill(numClasses);
  const tokens = new Uint32Array(sequences.length * blockSize);
  sequences.forEach((sequence, i) => {
    label[i] = sequence.label;
    tokens.set(Array.from(sequence.tokens ?? []), i * blockSize);
  });
  return [
    [gpt.place, place],
    [gpt.label, label],
    [gpt.tokens, tokens],
    [gpt.sampling, packSampling(sequences)],
  ];
}
