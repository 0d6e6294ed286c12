/**
 * The work all runtimes are given: official sizes, weights and inputs that are hashes of names and
 * indices, so that nothing is downloaded and every process makes the same numbers.
 */
import { join } from 'node:path';
import { type GptConfig, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseVqConfig, type VqConfig } from '../../src/models/vq-config.ts';
import { packageFolder } from '../../src/node/files.ts';
import { ENCODER_TENSORS } from '../../src/weights/join.ts';
import type { Safetensors } from '../../src/weights/safetensors.ts';
import { readConfig } from '../../test/golden-runner/case.ts';
import {
  type HashTensor,
  hashIndices,
  hashOf,
  hashWeights,
  seedOf,
} from '../../test/golden-runner/hash-weights.ts';

const SALT = 'v1/';

export const CFG_SCALE = 4;

/**
 * Where logits are compared, in this order: the second step sees what the first wrote into the cache.
 * Position 0 comes last because some runtimes take it as the start of a new, empty cache.
 */
export const CHECKED_POSITIONS = [128, 129, 0] as const;

/** Where a step is timed. */
export const TIMED_POSITION = 128;

export interface Workload<Config> {
  readonly config: Config;
  readonly file: Safetensors;
}

function readCase(name: string) {
  const config = readConfig(join(packageFolder(), 'test', 'golden', name));
  return { config, tensors: config.weights as readonly HashTensor[] };
}

/** GPT-B at 16 x 16 tokens. */
export async function gptWorkload(): Promise<Workload<GptConfig>> {
  const { config, tensors } = readCase('full_gptb_256');
  return {
    config: parseGptConfig(config.model_args, 'GPT-B'),
    file: await hashWeights('GPT-B', SALT, tensors),
  };
}

/** The VQ-16 decoder and a square grid of codes: u32 [side * side]. */
export async function vqWorkload(
  side: number,
): Promise<Workload<VqConfig> & { readonly codes: Uint32Array<ArrayBuffer> }> {
  const { config, tensors } = readCase('full_vq16_256');
  const vq = parseVqConfig(config.model_args);
  const used = tensors.filter(({ name }) => !ENCODER_TENSORS.some((p) => p.test(name)));
  const codes = Uint32Array.from(hashIndices(SALT, 'codes', side ** 2, vq.codebookSize));
  return { config: vq, file: await hashWeights('VQ-16', SALT, used), codes };
}

/** A tensor of a workload as floats. */
export async function floatsOf(
  file: Safetensors,
  name: string,
): Promise<{ readonly shape: readonly number[]; readonly data: Float32Array<ArrayBuffer> }> {
  const tensor = file.tensors.get(name);
  if (!tensor) throw new RangeError(`${file.name} has no tensor "${name}"`);
  const { source, offset, byteLength, shape } = tensor;
  const bytes = await source.read(offset, byteLength);
  return { shape, data: new Float32Array(bytes.buffer, bytes.byteOffset, byteLength / 4) };
}

/** What the cache of a layer holds before the first step: f32, from -1 to 1. */
export function cacheOf(layer: number, part: 'k' | 'v', length: number): Float32Array<ArrayBuffer> {
  const seed = seedOf(SALT, `layers.${layer}.${part}`);
  return Float32Array.from({ length }, (_, i) => (hashOf(seed, i) >>> 8) / 2 ** 23 - 1);
}

/** Classes of the images of a batch. */
export const classesOf = (sequences: number): number[] =>
  Array.from({ length: sequences }, (_, i) => (207 + 255 * i) % 1000);

/** Tokens of the images of a batch: u32 [sequences, blockSize]. */
export const tokensOf = (sequences: number, config: GptConfig): Uint32Array<ArrayBuffer> =>
  Uint32Array.from(hashIndices(SALT, 'tokens', sequences * config.blockSize, config.vocabSize));

/** What a row is given at a position: its class first, then the token before. */
export function inputOf(
  row: number,
  position: number,
  sequences: number,
  config: GptConfig,
  tokens: Uint32Array,
): { readonly label: number } | { readonly token: number } {
  const sequence = row % sequences;
  if (position > 0) return { token: tokens[sequence * config.blockSize + position - 1] ?? 0 };
  const label = row < sequences ? classesOf(sequences)[sequence] : config.numClasses;
  return { label: label ?? 0 };
}
