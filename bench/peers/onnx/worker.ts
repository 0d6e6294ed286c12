/** onnxruntime as a runner, by its WebGPU provider or by its CPU provider. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { GptConfig } from '../../../src/models/gpt-config.ts';
import { timed } from '../../repeat.ts';
import { rowsOf } from '../result.ts';
import { type Outputs, type Runner, type Setup, serve } from '../runner.ts';
import {
  CHECKED_POSITIONS,
  cacheOf,
  gptWorkload,
  inputOf,
  TIMED_POSITION,
  tokensOf,
  vqWorkload,
} from '../workload.ts';
import { OnnxGraph } from './builder.ts';
import { gptGraph, type Way } from './gpt.ts';
import { vqGraph } from './vq.ts';

type Feeds = Record<string, Tensor>;
type Work = Pick<Runner, 'outputs' | 'sample'>;

await serve(async ({ task, side, robust, way }: Setup) => {
  const cpu = way.endsWith('cpu');
  const options = cpu ? { executionProviders: ['cpu'] } : webgpu(robust);
  const work =
    task === 'vq-16'
      ? vqWork(options, side)
      : gptWork(options, rowsOf(task), way.startsWith('fused') ? 'fused' : 'standard', cpu);
  return { version: version(), adapter: cpu ? 'CPU' : 'WebGPU', software: cpu, ...(await work) };
});

function version(): string {
  const path = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return JSON.parse(readFileSync(path, 'utf8')).version;
}

/** Bounds checks are off by default in its releases. */
function webgpu(robust: boolean): InferenceSession.SessionOptions {
  const webgpuexecutionprovider = { enableRobustness: robust ? '1' : '0' };
  return {
    executionProviders: ['webgpu'],
    extra: { ep: { webgpuexecutionprovider } },
    // Placement of shape arithmetic on the CPU is no news.
    logSeverityLevel: 3,
  };
}

/** A decoding step; the cache stays where it is computed, the logits come back as a sampler needs them. */
async function gptWork(
  options: InferenceSession.SessionOptions,
  rows: number,
  way: Way,
  cpu: boolean,
): Promise<Work> {
  const { config, file } = await gptWorkload();
  const model = await gptGraph(config, file, rows, way);
  const cacheNames = Array.from({ length: config.nLayer }, (_, i) => [`${i}.k`, `${i}.v`]).flat();
  const location = cpu ? 'cpu' : 'gpu-buffer';
  const session = await InferenceSession.create(model, {
    ...options,
    preferredOutputLocation: {
      logits: 'cpu',
      ...Object.fromEntries(cacheNames.map((name) => [`present.${name}`, location] as const)),
    },
  });
  const cache = await startOf(config, rows, cacheNames, {
    ...options,
    preferredOutputLocation: location,
  });
  const step = async (position: number): Promise<Float32Array> => {
    const feeds = inputsOf(config, rows, position, way);
    for (const [name, tensor] of cache) feeds[`past.${name}`] = tensor;
    const results = await session.run(feeds);
    for (const [name, past] of cache) {
      const present = results[`present.${name}`];
      if (!present) throw new RangeError(`no output "present.${name}"`);
      past.dispose();
      cache.set(name, present);
    }
    return results.logits?.data as Float32Array;
  };
  const timedStep = (position: number) => timed(() => step(position));
  return {
    async outputs() {
      const steps: Awaited<ReturnType<typeof timedStep>>[] = [];
      for (const position of CHECKED_POSITIONS) steps.push(await timedStep(position));
      const values = Float32Array.from(steps.flatMap(({ result }) => [...result]));
      return { values, ms: steps[0]?.ms ?? Number.NaN };
    },
    sample: async () => (await timedStep(TIMED_POSITION)).ms,
  };
}

/**
 * The cache before the first step, by `LAYER.k` and `LAYER.v`, where the provider computes: only what a
 * session put there can be bound as its input and output at once.
 */
async function startOf(
  config: GptConfig,
  rows: number,
  names: readonly string[],
  options: InferenceSession.SessionOptions,
): Promise<Map<string, Tensor>> {
  const dims = [rows, config.nHead, config.clsTokenNum + config.blockSize, config.headDim];
  const length = dims.reduce((n, d) => n * d, 1);
  const place = await InferenceSession.create(copyGraph(dims), options);
  const cache = new Map<string, Tensor>();
  for (const name of names) {
    const [layer, part] = name.split('.');
    const data = cacheOf(Number(layer), part === 'k' ? 'k' : 'v', length);
    const { out } = await place.run({ in: new Tensor('float32', data, dims) });
    if (out) cache.set(name, out);
  }
  return cache;
}

/** `in` to `out`, both f32, unchanged. */
function copyGraph(dims: readonly number[]): Uint8Array {
  const g = new OnnxGraph('copy');
  g.node('Identity', [g.input('in', 'float32', dims)], {}, 'out');
  g.output('out', 'float32', dims);
  return g.encode();
}

function inputsOf(config: GptConfig, rows: number, position: number, way: Way): Feeds {
  const { nHead, numClasses } = config;
  const sequences = rows / 2;
  const tokens = tokensOf(sequences, config);
  const ids = Int32Array.from({ length: rows }, (_, row) => {
    const input = inputOf(row, position, sequences, config, tokens);
    return 'label' in input ? input.label : numClasses + 1 + input.token;
  });
  const feeds = { ids: new Tensor('int32', ids, [rows]) };
  if (way === 'fused') {
    return {
      ...feeds,
      last: new Tensor('int32', new Int32Array(rows).fill(position), [rows]),
      total: new Tensor('int32', Int32Array.of(position + 1), [1]),
    };
  }
  const places = BigInt64Array.from({ length: rows * nHead * 3 }, (_, i) => {
    const at = Math.floor(i / 3);
    return BigInt([Math.floor(at / nHead), at % nHead, position][i % 3] ?? 0);
  });
  return {
    ...feeds,
    position: new Tensor('int32', Int32Array.of(position), [1]),
    places: new Tensor('int64', places, [rows, nHead, 3]),
  };
}

async function vqWork(options: InferenceSession.SessionOptions, side: number): Promise<Work> {
  const { config, file, codes } = await vqWorkload(side);
  const session = await InferenceSession.create(await vqGraph(config, file, side), options);
  const feeds = { codes: new Tensor('int32', Int32Array.from(codes), [codes.length]) };
  const decode = async (): Promise<Outputs> => {
    const { ms, result } = await timed(() => session.run(feeds));
    return { values: result.image?.data as Float32Array, ms };
  };
  return {
    outputs: decode,
    sample: async () => (await decode()).ms,
  };
}
