/** Single operations, built from the same kernels and blocks as the models. */
import { attention } from '../../kernels/attention/attention.ts';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import type { Variant } from '../../kernels/kernel.ts';
import { packRows } from '../../kernels/lib/row-table.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { siluMul } from '../../kernels/product/silu-mul.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { uploadWeights } from '../../src/gpu/upload.ts';
import { variantOf } from '../../src/gpu/variants.ts';
import { Graph } from '../../src/graph/graph.ts';
import { elementCount, type Tensor } from '../../src/graph/tensor.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { ropeTable } from '../../src/models/rope-table.ts';
import { attnBlock, conv, norm, resnetBlock, type VqContext } from '../../src/models/vq-blocks.ts';
import { projectCaption } from '../../src/ops/caption.ts';
import { matrix } from '../../src/ops/weights.ts';
import { type GoldenCase, tensorOf } from './case.ts';
import { type Check, checkFloats } from './check.ts';
import { type Input, runGraph } from './graph.ts';

/** A graph, what it is fed with, and how its results answer the case. */
interface Op {
  readonly inputs: readonly Input[];
  readonly outputs: readonly Output[];
}

interface Output {
  /** Name in expected.safetensors. */
  readonly name: string;
  readonly tensor: Tensor;
  /** Picks what the case holds; default everything. */
  readonly pick?: (values: Float32Array) => ArrayLike<number>;
}

type Define = (g: Graph, golden: GoldenCase, variant: Variant) => Op;

export async function runOp(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const op = String(golden.config.op);
  if (op === 'rope_table') {
    return [checkFloats(golden, 'freqs_cis', ropeTable(ropeConfig(golden)))];
  }
  const define = OPS[op];
  if (!define) throw new Error(`${golden.name}: unknown op "${op}"`);
  const g = new Graph();
  const halves = options.precision === 'fast';
  const variant = { ...variantOf(device), ...options.variant, halves };
  const { inputs, outputs } = define(g, golden, variant);
  const memory = new Memory(device);
  try {
    const wanted = g.residents.filter(({ life }) => life === 'weight');
    const weights = golden.model && (await uploadWeights(memory, golden.model, wanted));
    const kept = outputs.map(({ tensor }) => tensor).filter(({ life }) => life === 'temp');
    const results = await runGraph(memory, weights ?? new Map(), g, inputs, kept);
    const checks: Check[] = [];
    for (const { name, tensor, pick } of outputs) {
      const values = await results.floats(tensor);
      checks.push(checkFloats(golden, name, pick ? pick(values) : values));
    }
    return checks;
  } finally {
    memory.freeAll();
  }
}

/** An op on feature maps: x and y [images, channels, height, width]. */
const block =
  (apply: (v: VqContext, x: Tensor, golden: GoldenCase) => Tensor): Define =>
  (g, golden, variant) => {
    const { shape, data } = tensorOf(golden, 'x');
    const x = g.state('x', 'f32', shape);
    const y = apply({ g, variant, dtype: 'f32' }, x, golden);
    return { inputs: [[x, data]], outputs: [{ name: 'y', tensor: y }] };
  };

/** An op on vectors: x and y [batch, positions, features], given to `apply` as rows. */
const rowwise =
  (apply: (g: Graph, x: Tensor, golden: GoldenCase, variant: Variant) => Tensor): Define =>
  (g, golden, variant) => {
    const { shape, data } = tensorOf(golden, 'x');
    const dim = shape.at(-1) ?? 1;
    const x = g.state('x', 'f32', [data.length / dim, dim]);
    return { inputs: [[x, data]], outputs: [{ name: 'y', tensor: apply(g, x, golden, variant) }] };
  };

const OPS: Readonly<Record<string, Define>> = {
  conv2d: block((v, x, golden) =>
    conv(v, '', x, {
      outChannels: channelsOf(golden),
      kernelSize: golden.config.kernel === 1 ? 1 : 3,
    }),
  ),
  downsample: block((v, x, golden) =>
    conv(v, 'conv', x, { outChannels: channelsOf(golden), kernelSize: 3, stride: 2 }),
  ),
  upsample: block((v, x, golden) =>
    conv(v, 'conv', x, { outChannels: channelsOf(golden), kernelSize: 3, upsample: true }),
  ),
  groupnorm_swish: block((v, x) => norm(v, 'norm', x, 'swish')),
  resnet_block: block((v, x, golden) => resnetBlock(v, '', x, channelsOf(golden))),
  attn_block: block((v, x) => attnBlock(v, '', x)),
  rmsnorm: rowwise((g, x, golden, variant) => {
    const [rows = 1, dim = 1] = x.shape;
    const gain = g.weight('weight', 'f32', [dim]);
    return g.call(rmsNorm({ rows, dim, eps: Number(golden.config.eps), variant }), { x, gain }).out;
  }),
  swiglu: rowwise((g, x, golden, variant) => {
    const [rows = 1, dim = 1] = x.shape;
    const hiddenDim = Number(golden.config.hidden);
    const gate = product(g, x, 'w1', hiddenDim, variant);
    const up = product(g, x, 'w3', hiddenDim, variant);
    const hidden = g.call(siluMul({ rows, hiddenDim }), { gate, up }).out;
    return product(g, hidden, 'w2', dim, variant);
  }),
  gelu_mlp: rowwise((g, x, golden, variant) => {
    const [rows = 1, captionDim = 1] = x.shape;
    const dim = tensorOf(golden, 'y').shape.at(-1) ?? 1;
    const of = (name: string, inDim: number) => matrix(g, `${name}.weight`, 'f32', [dim, inDim]);
    const weights = { fc1: of('fc1', captionDim), fc2: of('fc2', dim) };
    return projectCaption({ g, variant }, { rows, captionDim, dim, dtype: 'f32' }, x, weights);
  }),
  rope_apply: ropeApply,
  attention_cache: attentionCache,
};

/** Output channels: those of the expected y. */
const channelsOf = (golden: GoldenCase): number => tensorOf(golden, 'y').shape[1] ?? 1;

const ropeConfig = ({ config }: GoldenCase) => ({
  gridSize: Number(config.grid),
  headDim: Number(config.head_dim),
  clsTokenNum: Number(config.cls_token_num),
  ropeBase: Number(config.base ?? 10000),
});

function product(g: Graph, x: Tensor, name: string, outDim: number, variant: Variant): Tensor {
  const [rows = 1, inDim = 1] = x.shape;
  const weight = g.weight(`${name}.weight`, 'f32', [outDim, inDim]);
  return g.call(matmul({ rows, inDim, outDim, variant }), { x, weight }).out;
}

/** x [batch, positions, heads, headDim]: rotated as the q part of rows of q | k | v. */
function ropeApply(g: Graph, golden: GoldenCase): Op {
  const { shape, data } = tensorOf(golden, 'x');
  const [slots = 1, length = 1, nHead = 1, headDim = 1] = shape;
  const table = ropeTable(ropeConfig(golden));
  const positions = table.length / headDim;
  const rows = slots * length;
  const width = nHead * headDim;
  const qkv = Float32Array.from({ length: rows * 3 * width }, (_, i) => {
    const row = Math.floor(i / (3 * width));
    return data[row * width + (i % width)] ?? 0;
  });
  const pos = tensorOf(golden, 'pos').data;
  const stands = rowTableOf(rows, length, (i) => pos[i] ?? 0);
  const t = {
    qkv: g.state('qkv', 'f32', [rows, 3 * width]),
    rope: g.state('rope', 'f32', [positions, headDim / 2, 2]),
    rowTable: g.state('rows', 'u32', [rows, 4]),
    kv: g.state('kv', 'f32', [2, slots, nHead, positions, headDim]),
  };
  const { q } = g.call(ropeCache({ rows, nHead, nKvHead: nHead, headDim, slots, positions }), t);
  const inputs: Input[] = [
    [t.qkv, qkv],
    [t.rope, table],
    [t.rowTable, stands],
  ];
  return { inputs, outputs: [{ name: 'y', tensor: q }] };
}

/** `length` rows to a slot, the i-th of them at `positionOf(i)`. */
const rowTableOf = (
  rows: number,
  length: number,
  positionOf: (i: number) => number,
): Uint32Array<ArrayBuffer> =>
  packRows(
    Array.from({ length: rows }, (_, row) => {
      const slot = Math.floor(row / length);
      return { slot, position: positionOf(row % length), sequence: slot, condition: 0 };
    }),
  );

/** The whole attention layer over x [batch, positions, dim], and what it leaves in the cache. */
function attentionCache(g: Graph, golden: GoldenCase, variant: Variant): Op {
  const { shape, data } = tensorOf(golden, 'x');
  const [slots = 1, length = 1, dim = 1] = shape;
  const { n_head, n_kv_head, head_dim } = golden.config;
  const [nHead, nKvHead, headDim] = [Number(n_head), Number(n_kv_head), Number(head_dim)];
  const table = ropeTable(ropeConfig(golden));
  const positions = table.length / headDim;
  const rows = slots * length;
  const cache = { rows, nHead, nKvHead, headDim, slots, positions };
  const rowTable = g.state('rows', 'u32', [rows, 4]);
  const rope = g.state('rope', 'f32', [positions, headDim / 2, 2]);
  const kv = g.state('kv', 'f32', [2, slots, nKvHead, positions, headDim]);
  const x = g.state('x', 'f32', [rows, dim]);
  const qkv = product(g, x, 'wqkv', (nHead + 2 * nKvHead) * headDim, variant);
  const { q } = g.call(ropeCache(cache), { qkv, rope, rowTable, kv });
  const heads = g.call(attention({ ...cache, variant }), { q, kv, rowTable }).out;
  const y = product(g, heads, 'wo', dim, variant);
  const at = golden.config.positions as readonly number[];
  const cached = (part: number) => (values: Float32Array) =>
    rowsAt(values.subarray(part * (values.length / 2)), slots * nKvHead, positions, headDim, at);
  return {
    inputs: [
      [x, data],
      [rope, table],
      [rowTable, rowTableOf(rows, length, (i) => i)],
    ],
    outputs: [
      { name: 'y', tensor: y, pick: (values) => rowsAt(values, slots, length, dim, at) },
      { name: 'k_cache_rows', tensor: kv, pick: cached(0) },
      { name: 'v_cache_rows', tensor: kv, pick: cached(1) },
    ],
  };
}

/** From [groups, positions, width] the rows at some positions: [groups, at.length, width]. */
function rowsAt(
  values: Float32Array,
  groups: number,
  positions: number,
  width: number,
  at: readonly number[],
): Float32Array {
  const picked = new Float32Array(elementCount([groups, at.length, width]));
  for (let group = 0; group < groups; group++) {
    at.forEach((position, i) => {
      const from = (group * positions + position) * width;
      picked.set(values.subarray(from, from + width), (group * at.length + i) * width);
    });
  }
  return picked;
}
