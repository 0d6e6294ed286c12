/**
 * Layers of the T5 v1.1 encoder over the tokens of any number of prompts, one after another. Weights
 * have the names of Hugging Face transformers. The residual stream is f32: it leaves the range of halves.
 * Source: Raffel et al. 2020 (arXiv:1910.10683); transformers, T5Stack and T5Block.
 */
import { promptAttention } from '../../kernels/attention/prompt-attention.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { geluMul } from '../../kernels/product/gelu-mul.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { encoderProduct } from '../ops/encoder-product.ts';
import { run } from '../ops/operation.ts';
import { type Matrix, matrix } from '../ops/weights.ts';
import type { Precision } from './precision.ts';
import type { T5Config } from './t5-config.ts';

/** Neighbouring layers, and the rows that pass through them. */
export interface T5Pass {
  readonly rows: number;
  readonly first: number;
  readonly count: number;
}

export interface T5Layers {
  /** The residual stream before the first of the layers; written before a run: f32 [rows, dim]. */
  readonly x: Tensor;
  /** First row and number of rows of the prompt of each row (`placesOf`): u32 [rows, 2]. */
  readonly places: Tensor;
  /** `relativeBuckets`: u32 [2 * maxDistance + 1]. */
  readonly bucketTable: Tensor;
  /** The residual stream after each layer. */
  readonly hidden: readonly Tensor[];
  /** Dispatches up to the end of each layer. */
  readonly ends: readonly number[];
  /** What comes behind: the stream, or of the last layer of the encoder the features. f32 [rows, dim]. */
  readonly out: Tensor;
}

/** Tensors of a whole T5 that its encoder does not need on a device; the table is read by rows. */
export const T5_UNREAD: readonly RegExp[] = [
  /^decoder\./,
  /^lm_head\./,
  /^shared\.weight$/,
  /^encoder\.embed_tokens\.weight$/,
];

/** Names of the embedding table, the official one first: the two are one table. */
export const T5_TABLES = ['shared.weight', 'encoder.embed_tokens.weight'] as const;

/** What a prompt has of the rows. */
export interface PromptRows {
  readonly first: number;
  readonly count: number;
}

/** The contents of `places`; rows of no prompt have nothing to attend to. */
export function placesOf(prompts: readonly PromptRows[], rows: number): Uint32Array<ArrayBuffer> {
  const places = new Uint32Array(2 * rows);
  for (const { first, count } of prompts) {
    for (let row = first; row < first + count; row++) places.set([first, count], 2 * row);
  }
  return places;
}

/** Eight products and kernels a layer, four between them, and a norm at the end. */
export function t5Layers(
  g: Graph,
  config: T5Config,
  { rows, first, count }: T5Pass,
  precision: Precision,
): T5Layers {
  const { dim, nLayer, nHead, headDim, hiddenDim, buckets, maxDistance: reach } = config;
  const { variant, dtype } = precision;
  const on = { g, ...precision };
  const inner = nHead * headDim;
  const bias = g.weight(name(0, 0, 'SelfAttention.relative_attention_bias'), 'f32', [
    buckets,
    nHead,
  ]);
  const start = g.state('stream', 'f32', [rows, dim]);
  const places = g.state('places', 'u32', [rows, 2]);
  const bucketTable = g.state('buckets', 'u32', [2 * reach + 1]);
  const norm = (x: Tensor, gain: Tensor): Tensor =>
    g.call(rmsNorm({ rows, dim, eps: config.normEps, variant }), { x, gain }).out;
  const times = (x: Tensor, weight: Matrix, inDim: number, outDim: number, residual?: Tensor) =>
    run(on, encoderProduct, { rows, inDim, outDim, dtype, variant }, { x, weight, residual });

  let x = start;
  const hidden: Tensor[] = [];
  const ends: number[] = [];
  for (let layer = first; layer < first + count; layer++) {
    const l = weightsOf(g, config, layer, precision);
    const attending = norm(x, l.attentionNorm);
    const q = times(attending, l.q, dim, inner);
    const k = times(attending, l.k, dim, inner);
    const v = times(attending, l.v, dim, inner);
    const attention = promptAttention({ rows, nHead, headDim, buckets, reach, variant });
    const heads = g.call(attention, { q, k, v, places, bucketTable, bias }).out;
    x = times(heads, l.o, inner, dim, x);
    const feeding = norm(x, l.ffnNorm);
    const gate = times(feeding, l.wi0, dim, hiddenDim);
    const up = times(feeding, l.wi1, dim, hiddenDim);
    const gated = g.call(geluMul({ rows, hiddenDim }), { gate, up }).out;
    x = times(gated, l.wo, hiddenDim, dim, x);
    hidden.push(x);
    ends.push(g.nodes.length);
  }
  const isWhole = first + count === nLayer;
  const out = isWhole ? norm(x, g.weight('encoder.final_layer_norm.weight', 'f32', [dim])) : x;
  return { x: start, places, bucketTable, hidden, ends, out };
}

/** Name of a weight of a block: its sublayer 0 attends, its sublayer 1 feeds forward. */
const name = (layer: number, sublayer: 0 | 1, weight: string): string =>
  `encoder.block.${layer}.layer.${sublayer}.${weight}.weight`;

/** Handles of a layer's weights. Matrices are [out, in]. */
function weightsOf(g: Graph, config: T5Config, layer: number, precision: Precision) {
  const { dim, nHead, headDim, hiddenDim } = config;
  const { dtype, maxBindingBytes } = precision;
  const inner = nHead * headDim;
  const of = (sublayer: 0 | 1, weight: string, shape: readonly [number, number]): Matrix =>
    matrix(g, name(layer, sublayer, weight), dtype, shape, maxBindingBytes);
  return {
    attentionNorm: g.weight(name(layer, 0, 'layer_norm'), 'f32', [dim]),
    q: of(0, 'SelfAttention.q', [inner, dim]),
    k: of(0, 'SelfAttention.k', [inner, dim]),
    v: of(0, 'SelfAttention.v', [inner, dim]),
    o: of(0, 'SelfAttention.o', [dim, inner]),
    ffnNorm: g.weight(name(layer, 1, 'layer_norm'), 'f32', [dim]),
    wi0: of(1, 'DenseReluDense.wi_0', [hiddenDim, dim]),
    wi1: of(1, 'DenseReluDense.wi_1', [hiddenDim, dim]),
    wo: of(1, 'DenseReluDense.wo', [dim, hiddenDim]),
  };
}
