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
import { assertDrawn } from './not-finite.ts';
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
  /**
   * The token grids so far: u32 [sequences, blockSize], row by row.
   * @param first Number of the first sequence, for messages. Default 0.
   * @throws WeightsError where the logits of a sequence were not finite, with its number and the step.
   */
  readTokens(first?: number): Promise<Uint32Array<ArrayBuffer>>;
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
  memory.device.queue.writeBuffer(program.bufferOf(gpt.rope), 0, ropeTable(config));
  const pace: Pace = { msPerStep: undefined, encode: { ms: 0, steps: 0 } };
  const read = (t: Tensor): Promise<ArrayBuffer> =>
    watch.race(readBuffer(memory, program.bufferOf(t)));
  let started: readonly Sequence[] = [];
  return {
    batch,
    program,
    gpt,
    encode: pace.encode,
    start(sequences) {
      startSequences(network, gpt, program, batch, sequences);
      started = sequences;
    },
    run: (steps, options) => runSteps({ memory, watch, program, pace }, steps, options),
    async readTokens(first = 0) {
      const tokens = new Uint32Array(await read(gpt.tokens));
      assertDrawn(tokens, config.blockSize, precision, started, first);
      return tokens;
    },
    readLogits: async () => new Float32Array(await read(gpt.logits)),
    readProbs: async () => new Float32Array(await read(gpt.probs)),
    destroy: () => program.destroy(),
  };
}

function startSequences(
  network: Network<GptConfig>,
  gpt: GptDecoder,
  program: Program,
  batch: Batch,
  sequences: readonly Sequence[],
): void {
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
  const write = (t: Tensor, data: Uint32Array<ArrayBuffer>): void =>
    network.memory.device.queue.writeBuffer(program.bufferOf(t), 0, data);
  write(gpt.place, place);
  write(gpt.label, label);
  write(gpt.tokens, tokens);
  write(gpt.sampling, packSampling(sequences));
}
