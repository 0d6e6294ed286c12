/** How far a decoder with other storage is from the same decoder in f32. */

import { type GridToScore, scoreTokens } from '../../src/generate/score.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { checkGpt } from '../../src/load/model.ts';
import type { Network } from '../../src/load/network.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import type { GptConfig } from '../../src/models/gpt-config.ts';
import type { NodeDevice } from '../../src/node/device.ts';
import type { Safetensors } from '../../src/weights/safetensors.ts';
import { drawing, stepProgram } from '../step-program.ts';

/** What is measured on: classes, how greedy decoding is guided, and where the grids begin. */
export interface Subject {
  readonly name: string;
  readonly config: GptConfig;
  readonly file: Safetensors;
  readonly classes: readonly number[];
  readonly cfgScale: number;
}

/** What a decoder says: compared, never shown. */
export interface Answers {
  /** GPU bytes of its weights. */
  readonly weightBytes: number;
  /** Teacher forcing: f32 [grids, 1 + blockSize, vocabSize]. */
  readonly logits: Float32Array;
  /** Greedy decoding: the tokens of each class. */
  readonly greedy: readonly Uint32Array[];
}

export interface Quality {
  readonly weightBytes: number;
  /** Squared difference of the logits over their squares. */
  readonly nmse: number;
  /** Share of positions at which the best token is the same. */
  readonly top1: number;
  /** Share of the greedy tokens before the first that differs, averaged over images. */
  readonly greedyPrefix: number;
  /** Share of greedy tokens that are the same, place by place. */
  readonly greedySame: number;
}

/** A device, and how kernels are made on it. */
type Opened = Pick<NodeDevice, 'device' | 'kernels'>;

/** Token grids drawn by the f32 decoder, one for each class: what it finds likely, not its best guess. */
export async function drawGrids(opened: Opened, subject: Subject): Promise<GridToScore[]> {
  const { classes } = subject;
  return withNetwork(opened, subject, { dtype: 'f32', precision: 'exact' }, async (network) => {
    const grids = await draw(network, subject, false);
    return classes.map((label, i) => ({ label, tokens: grids[i] ?? [] }));
  });
}

export function ask(
  opened: Opened,
  subject: Subject,
  grids: readonly GridToScore[],
  options: PrecisionOptions,
): Promise<Answers> {
  return withNetwork(opened, subject, options, async (network) => {
    const weightBytes = network.memory.use.weights;
    const logits = await scoreTokens(network, grids);
    return { weightBytes, logits, greedy: await draw(network, subject, true) };
  });
}

async function withNetwork<T>(
  { device, kernels }: Opened,
  { config, file }: Subject,
  options: PrecisionOptions,
  work: (network: Network<GptConfig>) => Promise<T>,
): Promise<T> {
  const memory = new Memory(device);
  const asked = { ...kernels, ...options };
  try {
    return await work(await (await checkGpt(device, config, file, asked)).load(memory));
  } finally {
    memory.freeAll();
  }
}

/** The tokens of each class. */
async function draw(
  network: Network<GptConfig>,
  { classes, cfgScale }: Subject,
  greedy: boolean,
): Promise<readonly Uint32Array[]> {
  const program = await stepProgram(network, classes.length, cfgScale > 1);
  const sequences = classes.map((label, i) =>
    drawing({ label, seed: 7 + i, cfgScale, topK: 0, greedy }),
  );
  return (await program.run(sequences, network.config.blockSize)).tokens;
}

/** Compares answers with those of the f32 decoder. The row after the last token predicts nothing. */
export function compare({ config }: Subject, got: Answers, exact: Answers): Quality {
  const { blockSize, vocabSize } = config;
  const rows = blockSize + 1;
  let [error, power, same, positions] = [0, 0, 0, 0];
  for (let row = 0; row < exact.logits.length / vocabSize; row++) {
    if (row % rows === blockSize) continue;
    const [a, b] = [got, exact].map(({ logits }) =>
      logits.subarray(row * vocabSize, (row + 1) * vocabSize),
    ) as [Float32Array, Float32Array];
    for (const [i, expected] of b.entries()) {
      error += ((a[i] ?? Number.NaN) - expected) ** 2;
      power += expected ** 2;
    }
    positions++;
    if (best(a) === best(b)) same++;
  }
  let [prefix, equal] = [0, 0];
  for (const [image, expected] of exact.greedy.entries()) {
    const agree = Array.from(expected, (token, i) => got.greedy[image]?.[i] === token);
    const first = agree.indexOf(false);
    prefix += first < 0 ? blockSize : first;
    equal += agree.filter(Boolean).length;
  }
  const tokens = exact.greedy.length * blockSize;
  return {
    weightBytes: got.weightBytes,
    nmse: error / power,
    top1: same / positions,
    greedyPrefix: prefix / tokens,
    greedySame: equal / tokens,
  };
}

function best(row: Float32Array): number {
  let at = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] ?? 0) > (row[at] ?? 0)) at = i;
  return at;
}
