/**
 * The token loop: a program that moves every sequence of a batch one token on, encoded again and
 * again. Tokens never leave the GPU between steps; nothing is created per token.
 */
import { packRows } from '../../kernels/lib/row-table.ts';
import { packSequences, type Sampling } from '../../kernels/sampler/sequence-table.ts';
import { PROGRESS_WORDS, packStart, packWindows } from '../../kernels/sampler/window-table.ts';
import type { Program } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Network } from '../load/network.ts';
import { type CaptionFeatures, checkCaption } from '../models/caption.ts';
import { type GptDecoder, noCondition, type PassShape } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import {
  type Check,
  type Checks,
  checkOptions,
  checkValue,
  flag,
  having,
  integer,
  listOf,
  numbers,
} from '../options.ts';
import { assertDrawn } from './not-finite.ts';
import { passProgram } from './passes.ts';
import { type Captioned, conditionOf, firstOf } from './plan-prefill.ts';
import { Prefill } from './prefill.ts';
import { type RunOptions, type RunStats, runSteps } from './run-steps.ts';
import { SAMPLING } from './sampling-options.ts';
import { createSlots } from './slots.ts';

/** Sequences that begin together. */
export interface Batch {
  readonly sequences: number;
  /** Two rows a sequence: the rows without condition come last. */
  readonly guided: boolean;
}

/** One image to be. */
export interface Sequence extends Sampling {
  /** Class index, where classes are the condition. */
  readonly label?: number | undefined;
  /** Where text is. */
  readonly caption?: CaptionFeatures | undefined;
  /** The first `given` tokens. */
  readonly tokens?: ArrayLike<number> | undefined;
}

export interface TokenLoop {
  readonly batch: Batch;
  readonly program: Program;
  /** Handles of what the program's buffers hold. */
  readonly gpt: GptDecoder;
  /** JavaScript time spent encoding and submitting, since the start: milliseconds and steps. */
  readonly encode: { readonly ms: number; readonly steps: number };
  /**
   * Puts every sequence at its first token, or at another, where those before it are the first ones of
   * its `tokens`, else 0, and the cache is as it happens to be.
   */
  start(sequences: readonly Sequence[], step?: number): void;
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

const BATCH: Checks<Batch> = { sequences: integer(1, 2 ** 16), guided: flag };

const SETTINGS: Checks<Omit<Sequence, 'tokens' | 'label' | 'caption'>> = {
  ...SAMPLING,
  seed: integer(0),
  given: integer(0),
};

/**
 * Builds the loop of a decoder for one batch shape. It is the caller's: use it from one place at a
 * time, and destroy it.
 */
export async function tokenLoop(network: Network<GptConfig>, batch: Batch): Promise<TokenLoop> {
  checkOptions('tokenLoop', batch, BATCH);
  const { memory, config, precision, watch } = network;
  const { rows } = shapeOf(batch);
  const slots = await createSlots(network, rows, rows);
  const pass = await passProgram(network, slots, rows, true).catch((error: unknown) => {
    slots.destroy();
    throw error;
  });
  const { program, gpt, pace } = pass;
  const prefill = config.modelType === 't2i' ? new Prefill(network, slots) : undefined;
  const writeTensor = (
    t: Tensor,
    data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
  ): void => memory.device.queue.writeBuffer(program.bufferOf(t), 0, data);
  let begin: () => Promise<void> = async () => {};
  const read = async (t: Tensor | undefined): Promise<ArrayBuffer> => {
    if (!t) throw new RangeError('the passes do not keep what is asked for');
    return watch.race(readBuffer(memory, program.bufferOf(t)));
  };
  const lines = (bytes: ArrayBuffer): Float32Array<ArrayBuffer> =>
    new Float32Array(bytes).slice(0, batch.sequences * config.vocabSize);
  let started: readonly Sequence[] = [];
  return {
    batch,
    program,
    gpt,
    encode: pace.encode,
    start(sequences, step = 0) {
      watch.check();
      const contents = startOf(network, gpt, batch, sequences, step);
      const captioned = captionedOf(batch, sequences);
      started = sequences;
      const write = () =>
        memory.checked('starting the sequences', () => {
          for (const [tensor, data] of contents) writeTensor(tensor, data);
        });
      begin = once(async () => {
        await write(); // what is padding is among it
        await prefill?.run(captioned);
        if (prefill) await write(); // the rows of captions stood where those of the first pass do
      });
      if (!prefill) begin().catch(() => {}); // reported to the run
    },
    async run(steps, options) {
      watch.check();
      const begun = begin();
      if (prefill) await begun;
      const stats = await runSteps({ memory, watch, program, pace }, steps, options);
      await begun;
      return stats;
    },
    async readTokens(first = 0) {
      const all = new Uint32Array(await read(gpt.tokens));
      const tokens = all.slice(0, batch.sequences * config.blockSize);
      assertDrawn(tokens, config.blockSize, precision, started, first);
      return tokens;
    },
    readLogits: async () => lines(await read(gpt.kept?.logits)),
    readProbs: async () => lines(await read(gpt.kept?.probs)),
    destroy() {
      prefill?.destroy();
      program.destroy();
      slots.destroy();
    },
  };
}

/** The same promise each time. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

const captionedOf = ({ guided }: Batch, sequences: readonly Sequence[]): Captioned[] =>
  sequences.flatMap(({ caption }, slot) => {
    const uncondSlot = guided ? sequences.length + slot : undefined;
    return caption ? [{ slot, uncondSlot, caption }] : [];
  });

export const shapeOf = ({ sequences, guided }: Batch): PassShape => {
  const rows = sequences * (guided ? 2 : 1);
  return { rows, slots: rows };
};

/** What the buffers hold before the first step. */
function startOf(
  network: Network<GptConfig>,
  gpt: GptDecoder,
  batch: Batch,
  sequences: readonly Sequence[],
  step: number,
): readonly (readonly [Tensor, Uint32Array<ArrayBuffer>])[] {
  const { blockSize, clsTokenNum } = network.config;
  checkValue('sequences', sequences, listOf('sequences', having('a sequence')));
  if (sequences.length !== batch.sequences) {
    throw new RangeError(`expected ${batch.sequences} sequences, got ${sequences.length}`);
  }
  const { rows, slots } = shapeOf(batch);
  const tokens = new Uint32Array(slots * blockSize);
  sequences.forEach((sequence, i) => {
    checkSequence(network.config, sequence, `sequence ${i}`);
    tokens.set(Array.from(sequence.tokens ?? []), i * blockSize);
  });
  const rowTable = Array.from({ length: rows }, (_, slot) => {
    const sequence = slot % sequences.length;
    const own = sequences[sequence]?.label ?? conditionOf(network.config, slot);
    const condition = slot === sequence ? own : noCondition(network.config, slots);
    return { slot, position: step + clsTokenNum - 1, sequence, condition };
  });
  const uncondRow = (i: number) => (batch.guided ? sequences.length + i : undefined);
  // The logits of given tokens may be wanted too.
  const drawing = sequences.map((own, row) => {
    return { ...own, given: 0, row, uncondRow: uncondRow(row) };
  });
  const windows = sequences.map((_, row) => {
    return { sequence: row, row, uncondRow: uncondRow(row), draw: row, count: 1 };
  });
  const progress = new Uint32Array(slots * PROGRESS_WORDS);
  for (const [i, { given }] of sequences.entries()) {
    progress.set(packStart(given, step), i * PROGRESS_WORDS);
  }
  const firsts = Uint32Array.from({ length: slots }, (_, slot) => {
    const caption = sequences[slot % sequences.length]?.caption;
    return caption ? firstOf(network.config, caption) : 0;
  });
  return [
    ...(gpt.text ? [[gpt.text.firsts, firsts] as const] : []),
    [gpt.rowTable, packRows(rowTable)],
    [gpt.tokens, tokens],
    [gpt.sequenceTable, packSequences(drawing, rows)],
    [gpt.windowTable, packWindows(windows, rows)],
    [gpt.progress, progress],
  ];
}

/** Fields are written into buffers, where what is missing or of another type would be some number. */
function checkSequence(config: GptConfig, sequence: Sequence, where: string): void {
  const any: Check = () => undefined;
  const condition = config.modelType === 'c2i' ? { label: any } : { caption: any };
  checkOptions(where, sequence, { ...SETTINGS, ...condition, tokens: numbers });
  const fields: Readonly<Record<string, unknown>> = { ...sequence };
  if (config.modelType === 't2i') checkCaption(config, sequence.caption, `${where}: caption`);
  const wanted = {
    ...SETTINGS,
    ...(config.modelType === 'c2i' && { label: integer(0, config.numClasses) }),
  };
  for (const [name, is] of Object.entries(wanted)) {
    checkValue(`${where}: ${name}`, fields[name], is);
  }
  const given = Array.from(sequence.tokens ?? []);
  checkValue(`${where}: number of tokens`, given.length, integer(0, config.blockSize));
  const isToken = integer(0, config.vocabSize - 1);
  for (const token of given) checkValue(`${where}: token`, token, isToken);
}
