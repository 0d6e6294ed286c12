/** Cases of the T5 encoder: buckets, biases, the stream after each layer, features. */
import { Memory } from '../../src/gpu/memory.ts';
import { uploadWeights } from '../../src/gpu/upload.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { precisionFor } from '../../src/load/precision.ts';
import { loadTextEncoder } from '../../src/load/text-encoder.ts';
import { placesOf, T5_TABLES, t5Layers } from '../../src/models/t5.ts';
import { parseT5Config, relativeBuckets, type T5Config } from '../../src/models/t5-config.ts';
import { decodeF32 } from '../../src/weights/convert.ts';
import { type ModelFiles, memorySource } from '../../src/weights/source.ts';
import { type GoldenCase, modelOf, tensorOf } from './case.ts';
import { type Check, checkIntegers, judge } from './check.ts';
import { runGraph } from './graph.ts';

/** Prompts of a case without their padding. */
interface Prompts {
  readonly ids: readonly (readonly number[])[];
  /** Tokens of each prompt where it is padded. */
  readonly padded: number;
}

export async function runT5(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const config = parseT5Config(golden.config.model_args, golden.name);
  const prompts = promptsOf(golden);
  return [
    checkBuckets(golden, config),
    await checkBias(golden, config),
    await checkHidden(device, golden, config, prompts, options),
    await checkFeatures(device, golden, prompts, options),
  ];
}

function promptsOf(golden: GoldenCase): Prompts {
  const { data, shape } = tensorOf(golden, 'ids');
  const [, padded = 0] = shape;
  const lengths = golden.config.valid_lengths as readonly number[];
  const ids = lengths.map((length, i) => [...data.subarray(i * padded, i * padded + length)]);
  return { ids, padded };
}

const bucketOf = (config: T5Config): ((distance: number) => number) => {
  const { maxDistance: most } = config;
  const table = relativeBuckets(config);
  return (distance) => table[Math.max(-most, Math.min(most, distance)) + most] ?? Number.NaN;
};

function checkBuckets(golden: GoldenCase, config: T5Config): Check {
  const rel = [...tensorOf(golden, 'rel').data];
  return checkIntegers(golden, 'rel_bucket', rel.map(bucketOf(config)));
}

async function checkBias(golden: GoldenCase, config: T5Config): Promise<Check> {
  const { data, shape } = tensorOf(golden, 'position_bias');
  const [heads = 0, queries = 0, keys = 0] = shape;
  const table = await valuesOf(
    golden,
    'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
  );
  const bucket = bucketOf(config);
  const got = Array.from(data, (_, i) => {
    const [key, query, head] = [
      i % keys,
      Math.floor(i / keys) % queries,
      Math.floor(i / keys / queries),
    ];
    return table[bucket(key - query) * heads + head] ?? Number.NaN;
  });
  return judge('position_bias', got, data, golden.atol('position_bias'));
}

async function valuesOf(golden: GoldenCase, name: string): Promise<Float32Array> {
  const entry = modelOf(golden).tensors.get(name);
  if (!entry) throw new Error(`${golden.name}: no "${name}"`);
  return decodeF32('F32', await entry.source.read(entry.offset, entry.byteLength));
}

/** The rows of tokens of one of the cases' tensors [..., prompts, padded, dim], which has padding too. */
function validRows(golden: GoldenCase, name: string, { ids, padded }: Prompts, at = 0): number[] {
  const { data, shape } = tensorOf(golden, name);
  const dim = shape.at(-1) ?? 0;
  const size = padded * dim;
  return ids.flatMap(({ length }, i) => {
    const start = (at * ids.length + i) * size;
    return [...data.subarray(start, start + length * dim)];
  });
}

async function checkHidden(
  device: GPUDevice,
  golden: GoldenCase,
  config: T5Config,
  prompts: Prompts,
  options: PrecisionOptions,
): Promise<Check> {
  const { nLayer: count, dim } = config;
  const all = prompts.ids.flat();
  const rows = all.length;
  const precision = precisionFor(device, options, { dtype: 'f32' });
  const memory = new Memory(device);
  try {
    const g = new Graph();
    const layers = t5Layers(g, config, { rows, first: 0, count }, precision);
    const weights = await uploadWeights(
      memory,
      modelOf(golden),
      g.residents.filter(({ life }) => life === 'weight'),
    );
    const table = await valuesOf(golden, T5_TABLES[0]);
    const stream = Float32Array.from(
      all.flatMap((id) => [...table.subarray(id * dim, (id + 1) * dim)]),
    );
    let first = 0;
    const places = prompts.ids.map(({ length }) => {
      first += length;
      return { first: first - length, count: length };
    });
    const results = await runGraph(
      ...[memory, weights, g],
      [
        [layers.x, stream],
        [layers.places, placesOf(places, rows)],
        [layers.bucketTable, relativeBuckets(config)],
      ],
      layers.hidden,
    );
    const got = [...stream];
    for (const hidden of layers.hidden) got.push(...(await results.floats(hidden)));
    const expected = [0, ...layers.hidden.keys()].flatMap((_, layer) =>
      validRows(golden, 'hidden', prompts, layer),
    );
    return judge('hidden', got, expected, golden.atol('hidden'));
  } finally {
    memory.freeAll();
  }
}

async function checkFeatures(
  device: GPUDevice,
  golden: GoldenCase,
  prompts: Prompts,
  { variant, tiles }: PrecisionOptions,
): Promise<Check> {
  const encoder = await loadTextEncoder(device, folderOf(golden), { variant, tiles });
  try {
    const features = await encoder.encode(prompts.ids);
    const got = features.flatMap(({ values }) => [...values]);
    return judge('y', got, validRows(golden, 'y', prompts), golden.atol('y'));
  } finally {
    encoder.destroy();
  }
}

/** The case as a model folder has it. */
function folderOf(golden: GoldenCase): ModelFiles {
  const json = new TextEncoder().encode(JSON.stringify(golden.config.model_args));
  const [entry] = modelOf(golden).tensors.values();
  const weights = entry?.source;
  return {
    name: golden.name,
    async open(file) {
      if (file === 't5.json') return memorySource(file, json);
      if (file === 't5.safetensors' && weights) return weights;
      throw new Error(`no ${file}`);
    },
  };
}
