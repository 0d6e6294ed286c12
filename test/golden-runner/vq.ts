/** VQ cases: every stage of decoding and encoding, pixels and indices. */

import { Memory } from '../../src/gpu/memory.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { Tensor } from '../../src/graph/tensor.ts';
import { checkVq } from '../../src/load/model.ts';
import type { Network } from '../../src/load/network.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { precisionName } from '../../src/models/precision.ts';
import { parseVqConfig, type VqConfig } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqEncoder } from '../../src/models/vq-encoder.ts';
import { vqOptions } from '../../src/models/vq-options.ts';
import { type GoldenCase, modelOf, tensorOf } from './case.ts';
import { type Check, checkFloats, checkIntegers, checkPixels, judge } from './check.ts';
import { runGraph } from './graph.ts';

export async function runVq(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const config = parseVqConfig(golden.config.model_args);
  const memory = new Memory(device);
  try {
    const encoder = golden.config.decoder_only !== true;
    const checked = await checkVq(device, config, modelOf(golden), { ...options, encoder });
    const network = await checked.load(memory);
    const grid = golden.config.grid as [number, number];
    const checks = await decoding(network, golden, '', grid);
    const rect = golden.config.rect as [number, number, number] | null;
    if (rect) checks.push(...(await decoding(network, golden, 'rect.', [rect[0], rect[1]])));
    const exact = precisionName(network.precision) === 'exact';
    if (exact && encoder && golden.expected.has('enc.x')) {
      checks.push(...(await encoding(network, golden)));
    }
    return checks;
  } finally {
    memory.freeAll();
  }
}

async function decoding(
  network: Network<VqConfig>,
  golden: GoldenCase,
  prefix: string,
  [height, width]: readonly [number, number],
): Promise<Check[]> {
  const codes = tensorOf(golden, `${prefix}codes`);
  const images = codes.shape[0] ?? 1;
  const g = new Graph();
  const precision = { ...vqOptions(network.precision), stages: true };
  const vq = vqDecoder(g, network.config, { images, height, width }, precision);
  const stages = Object.entries(vq.stages).map(([name, t]) => [`stage.${name}`, t] as const);
  const tensors = new Map<string, Tensor>([
    ['zq', vq.zq],
    ['post_quant', vq.postQuant],
    ...stages,
    ['image', vq.image],
  ]);
  const keep = [...tensors.values(), vq.rgba];
  const { memory, weights } = network;
  const results = await runGraph(memory, weights, g, [[vq.codes, codes.data]], keep);
  const fast = precisionName(network.precision) === 'fast';
  const checks: Check[] = [];
  for (const [name, tensor] of tensors) {
    const wanted = golden.expected.get(prefix + name);
    const atol = fast ? golden.fastAtol(prefix + name) : golden.atol(prefix + name);
    if (!wanted || atol === undefined) continue;
    checks.push(judge(prefix + name, await results.floats(tensor), wanted.data, atol));
  }
  const pixels = `${prefix}image_u8`;
  if (golden.expected.has(pixels)) {
    const rgb = new Uint8Array((await results.integers(vq.rgba)).buffer).filter(
      (_, i) => i % 4 !== 3,
    );
    checks.push(fast ? checkPixels(golden, pixels, rgb) : checkIntegers(golden, pixels, rgb, 1));
  }
  return checks;
}

async function encoding(network: Network<VqConfig>, golden: GoldenCase): Promise<Check[]> {
  const x = tensorOf(golden, 'enc.x');
  const [images = 1, , height = 1, width = 1] = x.shape;
  const g = new Graph();
  const precision = { ...vqOptions(network.precision), stages: true };
  const vq = vqEncoder(g, network.config, { images, height, width }, precision);
  const tensors = new Map<string, Tensor>([
    ...Object.entries(vq.stages).map(([name, t]) => [`enc.stage.${name}`, t] as const),
    ['enc.latent', vq.latent],
    ['enc.quant', vq.quant],
  ]);
  const keep = [...tensors.values(), vq.indices];
  const { memory, weights } = network;
  const results = await runGraph(memory, weights, g, [[vq.x, x.data]], keep);
  const checks: Check[] = [];
  for (const [name, tensor] of tensors) {
    if (!golden.expected.has(name)) continue;
    checks.push(checkFloats(golden, name, await results.floats(tensor)));
  }
  const indices = await results.integers(vq.indices);
  checks.push(checkIntegers(golden, 'enc.indices', indices));
  return checks;
}
