/** Class-conditional GPT cases: teacher forcing, forced and greedy decoding, each with its logits. */

import { type Sequence, tokenLoop } from '../../src/engine/token-loop.ts';
import { scoreTokens } from '../../src/generate/score.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { checkGpt } from '../../src/load/model.ts';
import type { Network } from '../../src/load/network.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { type GptConfig, parseGptConfig } from '../../src/models/gpt-config.ts';
import { precisionName } from '../../src/models/precision.ts';
import { type GoldenCase, modelOf, tensorOf } from './case.ts';
import { type Check, checkFloats, checkIntegers, judgeLogits } from './check.ts';
import { margin } from './statistics.ts';

export interface Run {
  readonly tag: string;
  readonly scale: number;
  readonly interval: number;
  readonly forced: boolean;
}

/** What every step of some sequences gave. */
export interface Decoded {
  /** What was drawn from: f32 [sequences, blockSize, vocabSize]. */
  readonly logits: Float32Array;
  /** The best logit minus the second best: f32 [sequences, blockSize]. */
  readonly margins: Float32Array;
  /** u32 [sequences, blockSize]. */
  readonly tokens: Uint32Array;
}

export async function runGpt(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const config = parseGptConfig(golden.config.model_args, golden.name);
  const memory = new Memory(device);
  try {
    const network = await (await checkGpt(device, config, modelOf(golden), options)).load(memory);
    const checks = [await teacherForcing(network, golden)];
    for (const run of golden.config.runs as readonly Run[]) {
      checks.push(...(await decoding(network, golden, run)));
    }
    return checks;
  } finally {
    memory.freeAll();
  }
}

async function teacherForcing(network: Network<GptConfig>, golden: GoldenCase): Promise<Check> {
  const { blockSize } = network.config;
  const tokens = tensorOf(golden, 'tf.tokens').data;
  const classes = [...tensorOf(golden, 'class').data];
  const grids = classes.map((label, i) => ({
    label,
    tokens: tokens.subarray(i * blockSize, (i + 1) * blockSize),
  }));
  return checkLogits(network, golden, 'tf.logits', await scoreTokens(network, grids), {});
}

/** What of the case logits are compared with, and the guidance of both. */
interface Logits {
  /** Default: the case's tensor of that name. */
  readonly expected?: ArrayLike<number>;
  /** Default 1. */
  readonly scale?: number;
}

export function checkLogits(
  { config, precision }: Network<GptConfig>,
  golden: GoldenCase,
  tensor: string,
  got: Float32Array,
  { expected = tensorOf(golden, tensor).data, scale = 1 }: Logits,
): Check {
  const fast = precisionName(precision) === 'fast';
  const atol = golden.atol(golden.expected.has(tensor) ? tensor : 'tf.logits');
  return judgeLogits(tensor, got, expected, { atol, vocabSize: config.vocabSize, fast, scale });
}

/** Greedy decoding, or forced along given tokens, i32 [sequences, blockSize]. */
export async function decode(
  network: Network<GptConfig>,
  conditions: readonly Pick<Sequence, 'label' | 'caption'>[],
  { scale, interval = -1, given }: { scale: number; interval?: number; given?: Given },
): Promise<Decoded> {
  const { blockSize, vocabSize } = network.config;
  const loop = await tokenLoop(network, { sequences: conditions.length, guided: scale > 1 });
  loop.start(
    conditions.map((condition, i) => ({
      ...condition,
      seed: 0,
      cfgScale: scale,
      cfgInterval: interval,
      temperature: 1,
      topK: 0,
      topP: 1,
      greedy: true,
      given: given ? blockSize : 0,
      ...(given && { tokens: given.subarray(i * blockSize, (i + 1) * blockSize) }),
    })),
  );
  const logits = new Float32Array(conditions.length * blockSize * vocabSize);
  const margins = new Float32Array(conditions.length * blockSize);
  for (let step = 0; step < blockSize; step++) {
    await loop.run(1);
    const now = await loop.readLogits();
    for (const i of conditions.keys()) {
      const row = now.subarray(i * vocabSize, (i + 1) * vocabSize);
      logits.set(row, (i * blockSize + step) * vocabSize);
      margins[i * blockSize + step] = margin(row);
    }
  }
  const tokens = await loop.readTokens();
  loop.destroy();
  return { logits, margins, tokens };
}

type Given = Float32Array | Int32Array | undefined;

/** A run of a case, token by token. */
export async function decoding(
  network: Network<GptConfig>,
  golden: GoldenCase,
  run: Run,
): Promise<Check[]> {
  const { blockSize } = network.config;
  const conditions = [...tensorOf(golden, 'class').data].map((label) => ({ label }));
  const given = run.forced ? tensorOf(golden, 'tf.tokens').data : undefined;
  const { logits, margins, tokens } = await decode(network, conditions, { ...run, given });
  const name = `${run.forced ? 'dec' : 'gen'}.${run.tag}`;
  const checks: Check[] = [];
  if (!run.forced) checks.push(checkIntegers(golden, `${name}.tokens`, tokens));
  const fast = precisionName(network.precision) === 'fast';
  if (!run.forced && !fast && golden.expected.has(`${name}.margin`)) {
    checks.push(checkFloats(golden, `${name}.margin`, margins));
  }
  if (golden.expected.has(`${name}.logits`)) {
    checks.push(checkLogits(network, golden, `${name}.logits`, logits, { scale: run.scale }));
  } else if (run.forced && run.scale === 1) {
    // Stored once: unguided decoding equals the first rows of teacher forcing exactly.
    const expected = firstRows(golden, blockSize);
    checks.push(checkLogits(network, golden, `${name}.logits`, logits, { expected }));
  }
  return checks;
}

/** tf.logits [B, 1 + N, V] without its last row: [B, N, V]. */
function firstRows(golden: GoldenCase, blockSize: number): number[] {
  const { data, shape } = tensorOf(golden, 'tf.logits');
  const [, positions = 0, vocab = 0] = shape;
  return Array.from(data).filter((_, i) => Math.floor(i / vocab) % positions < blockSize);
}
