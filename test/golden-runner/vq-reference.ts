/**
 * The image decoder of a golden case in float64, by the oracles of this project, as it is and with the
 * operands of its products rounded as the matrix units of GPUs round them.
 */
import { Graph } from '../../src/graph/graph.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { decodeF32, isWeightDType } from '../../src/weights/convert.ts';
import { evaluate, type Reading } from '../oracle/evaluate.ts';
import { type GoldenCase, modelOf, tensorOf } from './case.ts';

/** Norms as maps of their own and products whole, so that what a product multiplies is what it reads. */
const PLAIN = {
  variant: { reduce: 'serial', f16: false },
  tiles: { conv: { method: 'direct' } },
  dtype: 'f32',
  stages: true,
} as const;

/** What is multiplied with what; the rest is added. */
const OPERANDS: Readonly<Record<string, readonly string[]>> = {
  conv_direct: ['x', 'weight'],
  spatial_scores: ['q', 'k'],
  spatial_mix: ['v', 'probs'],
};

/** To ten bits after the leading one, to the nearest and of two the even: what TF32 and halves keep. */
export function roundToTenBits(values: ArrayLike<number>): Float32Array {
  const rounded = Float32Array.from(values);
  const bits = new Uint32Array(rounded.buffer);
  for (const [i, word] of bits.entries()) bits[i] = (word + 0xfff + ((word >> 13) & 1)) & ~0x1fff;
  return rounded;
}

const rounding: Reading = (kernel, binding, values) =>
  OPERANDS[kernel]?.includes(binding) ? roundToTenBits(values) : values;

export interface ReferenceOptions {
  /** Of the names of the tensors: '' for the grid of a case, `rect.` for its second one. Default ''. */
  readonly prefix?: '' | 'rect.';
  /** Round what products multiply. Default false. */
  readonly rounded?: boolean;
}

/** Tensors of a case's `expected.safetensors` that decoding makes, by their names there. */
export async function decodeInFloat64(
  golden: GoldenCase,
  { prefix = '', rounded = false }: ReferenceOptions = {},
): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const codes = tensorOf(golden, `${prefix}codes`);
  const images = codes.shape[0] ?? 1;
  const [height, width] = golden.config[prefix ? 'rect' : 'grid'] as readonly [number, number];
  const g = new Graph();
  const config = parseVqConfig(golden.config.model_args);
  const vq = vqDecoder(g, config, { images, height, width }, PLAIN);
  const weights = new Map<string, Float32Array>();
  for (const { name, life } of g.residents) {
    if (life === 'weight') weights.set(name, await weightOf(golden, name));
  }
  const given = (name: string): ArrayLike<number> => weights.get(name) ?? codes.data;
  const values = evaluate(g, given, rounded ? rounding : undefined);
  const tensors = [
    ['zq', vq.zq] as const,
    ['post_quant', vq.postQuant] as const,
    ...Object.entries(vq.stages).map(([name, tensor]) => [`stage.${name}`, tensor] as const),
    ['image', vq.image] as const,
  ];
  return new Map(
    tensors
      .map(([name, tensor]) => [`${prefix}${name}`, values.get(tensor) ?? []] as const)
      .filter(([name]) => golden.expected.has(name)),
  );
}

async function weightOf(golden: GoldenCase, name: string): Promise<Float32Array> {
  const stored = modelOf(golden).tensors.get(name);
  if (!stored) throw new Error(`${golden.name}: model.safetensors has no "${name}"`);
  const { source, dtype, offset, byteLength } = stored;
  if (!isWeightDType(dtype)) throw new Error(`${golden.name}: "${name}" is ${dtype}`);
  return decodeF32(dtype, await source.read(offset, byteLength));
}
