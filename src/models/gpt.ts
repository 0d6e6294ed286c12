/**
 * The LlamaGen decoder as graphs: one that advances every sequence by one token, and one that scores
 * given tokens in a single pass. Both read the same weights under the official names.
 * Source: LlamaGen autoregressive/models/gpt.py, Transformer; generate.py.
 */
import { attention } from '../../kernels/attention/attention.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { embed } from '../../kernels/embed/embed.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import { linear } from '../../kernels/product/linear.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { siluMul, swiglu } from '../../kernels/product/swiglu.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import { SAMPLING_WORDS } from '../../kernels/sampler/sampling.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { attendInParts } from './gpt-attention.ts';
import type { GptConfig } from './gpt-config.ts';
import { linearPlus } from './gpt-product.ts';
import { callParts, type Matrix, matrix, table } from './matrix.ts';
import { headDtypeOf, type Precision, tableDtypeOf } from './precision.ts';

/** A batch of sequences. */
export interface Batch {
  readonly sequences: number;
  /** Two rows a sequence, conditional and unconditional; rows of the second kind come last. */
  readonly guided: boolean;
}

/** What both graphs are fed with. All are states: written before a run, changed only by kernels. */
export interface GptInputs {
  /** Where each row stands: u32 [rows, 2], KV slot and position. */
  readonly place: Tensor;
  /** Class of each KV slot; numClasses is the unconditional one: u32 [slots]. */
  readonly label: Tensor;
  /** u32 [sequences, blockSize]. */
  readonly tokens: Tensor;
  /** (cos, sin) table of `ropeTable`: f32 [positions, headDim / 2, 2]. */
  readonly rope: Tensor;
}

export interface GptDecoder extends GptInputs {
  /** Settings of each sequence (`packSampling`): u32 [sequences, 8]. */
  readonly sampling: Tensor;
  /** What the sampler is given, guidance already applied: f32 [sequences, vocabSize]. */
  readonly logits: Tensor;
  /** The distribution the token is drawn from: f32 [sequences, vocabSize]. */
  readonly probs: Tensor;
}

export interface GptScorer extends GptInputs {
  /** f32 [sequences * positions, vocabSize]; row p of a sequence predicts token p. */
  readonly logits: Tensor;
  /** The residual stream after each layer: f32 [sequences * positions, dim]. */
  readonly hidden: readonly Tensor[];
}

/** Positions of a sequence: the condition tokens and the image tokens. */
export const positionsOf = ({ clsTokenNum, blockSize }: GptConfig): number =>
  clsTokenNum + blockSize;

/** KV slots of a batch. */
export const slotsOf = ({ sequences, guided }: Batch): number => sequences * (guided ? 2 : 1);

/**
 * One decoding step: every sequence moves one token on. Five dispatches a layer and three more; one more
 * where the tile of attention or of a product that is added to the stream has parts.
 */
export function gptDecoder(
  g: Graph,
  config: GptConfig,
  batch: Batch,
  precision: Precision,
): GptDecoder {
  const { dim, hiddenDim, vocabSize, blockSize, clsTokenNum, normEps } = config;
  const { sequences } = batch;
  const { variant, dtype } = precision;
  const rows = slotsOf(batch);
  const inputs = gptInputs(g, config, batch, rows);
  const { place, tokens, rope } = inputs;
  const sampling = g.state('sampling', 'u32', [sequences, SAMPLING_WORDS]);
  const w = weightsOf(g, config, precision);
  const common = { rows, normEps, dtype, variant };

  let x = embedRows(g, config, batch, inputs, rows, precision);
  for (let layer = 0; layer < config.nLayer; layer++) {
    const l = w.layer(layer);
    const cache = { ...cacheShape(config, batch, precision), variant };
    const kv = cacheOf(g, config, batch, precision, layer);
    const qkv = { ...common, ...cache, dim, nHead: config.nHead };
    const { q } = callParts(
      g,
      (columns) => qkvRopeCache({ ...qkv, ...(columns && { columns }) }),
      { weight: l.wqkv },
      { x, gain: l.attentionNorm, rope, place, kv },
    );
    const heads = attendInParts(g, { rows, ...cache, nHead: config.nHead }, { q, kv, place });
    const narrow = { rows, outDim: dim, dtype, variant };
    x = linearPlus(g, { ...narrow, inDim: dim }, l.wo, { x: heads, residual: x });
    const hidden = callParts(
      g,
      (columns) => swiglu({ ...common, dim, hiddenDim, ...(columns && { columns }) }),
      { w1: l.w1, w3: l.w3 },
      { x, gain: l.ffnNorm },
    ).out;
    x = linearPlus(g, { ...narrow, inDim: hiddenDim }, l.w2, { x: hidden, residual: x });
  }
  const head = { ...common, inDim: dim, outDim: vocabSize, dtype: headDtypeOf(precision) };
  const raw = callParts(
    g,
    (columns) => linear({ ...head, ...(columns && { columns }) }),
    { weight: w.output },
    { x, gain: w.norm },
  ).out;
  const sample = { sequences, rows, vocabSize, blockSize, clsTokenNum, variant };
  const { logits, probs } = g.call(sampleToken(sample), { raw, sampling, place, tokens });
  return { ...inputs, sampling, logits, probs };
}

/**
 * Logits of every position of given token grids, in one pass of many rows (teacher forcing). The
 * same rows as decoding would make one by one; text conditions will be prefilled this way too.
 */
export function gptScorer(
  g: Graph,
  config: GptConfig,
  sequences: number,
  precision: Precision,
): GptScorer {
  const { dim, hiddenDim, vocabSize, nHead, nKvHead, headDim } = config;
  const { variant, dtype } = precision;
  const batch = { sequences, guided: false };
  const rows = sequences * positionsOf(config);
  const inputs = gptInputs(g, config, batch, rows);
  const { place, rope } = inputs;
  const w = weightsOf(g, config, precision);
  const norm = (x: Tensor, gain: Tensor): Tensor =>
    g.call(rmsNorm({ rows, dim, eps: config.normEps, variant }), { x, gain }).out;
  const product = (x: Tensor, weight: Matrix, inDim: number, outDim: number, as = dtype) => {
    const params = { rows, inDim, outDim, dtype: as, variant };
    const make = (columns?: Columns) => matmul({ ...params, ...(columns && { columns }) });
    return callParts(g, make, { weight }, { x }).out;
  };
  const matmulPlus = (x: Tensor, weight: Matrix, residual: Tensor, inDim: number): Tensor => {
    const params = { rows, inDim, outDim: dim, dtype, variant, residual: true } as const;
    const make = (columns?: Columns) => matmul({ ...params, ...(columns && { columns }) });
    return callParts(g, make, { weight }, { x, residual }).out;
  };

  const hidden: Tensor[] = [];
  let x = embedRows(g, config, batch, inputs, rows, precision);
  for (let layer = 0; layer < config.nLayer; layer++) {
    const l = w.layer(layer);
    const cache = { rows, nHead, ...cacheShape(config, batch, precision) };
    const kv = cacheOf(g, config, batch, precision, layer);
    const width = (nHead + 2 * nKvHead) * headDim;
    const qkv = product(norm(x, l.attentionNorm), l.wqkv, dim, width);
    const { q } = g.call(ropeCache(cache), { qkv, rope, place, kv });
    const heads = g.call(attention({ ...cache, variant }), { q, kv, place }).out;
    x = matmulPlus(heads, l.wo, x, dim);
    const normed = norm(x, l.ffnNorm);
    const gate = product(normed, l.w1, dim, hiddenDim);
    const up = product(normed, l.w3, dim, hiddenDim);
    x = matmulPlus(g.call(siluMul({ rows, hiddenDim }), { gate, up }).out, l.w2, x, hiddenDim);
    hidden.push(x);
  }
  const head = headDtypeOf(precision);
  return { ...inputs, hidden, logits: product(norm(x, w.norm), w.output, dim, vocabSize, head) };
}

function gptInputs(g: Graph, config: GptConfig, batch: Batch, rows: number): GptInputs {
  return {
    place: g.state('place', 'u32', [rows, 2]),
    label: g.state('label', 'u32', [slotsOf(batch)]),
    tokens: g.state('tokens', 'u32', [batch.sequences, config.blockSize]),
    rope: g.state('rope', 'f32', [positionsOf(config), config.headDim / 2, 2]),
  };
}

function embedRows(
  g: Graph,
  config: GptConfig,
  batch: Batch,
  inputs: GptInputs,
  rows: number,
  precision: Precision,
): Tensor {
  const dtype = tableDtypeOf(precision);
  const { variant, maxBindingBytes } = precision;
  const { dim, vocabSize, numClasses, blockSize } = config;
  const { place, label, tokens } = inputs;
  const labels = numClasses + 1;
  const sizes = { rows, slots: slotsOf(batch), sequences: batch.sequences, dim, vocabSize, labels };
  const name = 'cls_embedding.embedding_table.weight';
  const labelTable = g.weight(name, dtype, [labels, dim]);
  const size = [vocabSize, dim] as const;
  const tokenTable = table(g, 'tok_embeddings.weight', dtype, size, maxBindingBytes);
  return callParts(
    g,
    (held) => embed({ ...sizes, blockSize, dtype, variant, ...(held && { held }) }),
    { tokenTable },
    { place, label, tokens, labelTable },
  ).out;
}

const cacheShape = (config: GptConfig, batch: Batch, { kvDtype }: Precision) => ({
  slots: slotsOf(batch),
  nKvHead: config.nKvHead,
  positions: positionsOf(config),
  headDim: config.headDim,
  kvDtype,
});

function cacheOf(
  g: Graph,
  config: GptConfig,
  batch: Batch,
  precision: Precision,
  layer: number,
): Tensor {
  const { slots, nKvHead, positions, headDim, kvDtype } = cacheShape(config, batch, precision);
  return g.state(`layers.${layer}.kv`, kvDtype, [2, slots, nKvHead, positions, headDim]);
}

/** Handles of the weights under their official state-dict names. */
function weightsOf(g: Graph, config: GptConfig, precision: Precision) {
  const { dim, hiddenDim, nHead, nKvHead, headDim, vocabSize } = config;
  const { dtype, maxBindingBytes } = precision;
  const head = headDtypeOf(precision);
  return {
    norm: g.weight('norm.weight', 'f32', [dim]),
    output: matrix(g, 'output.weight', head, [vocabSize, dim], maxBindingBytes),
    layer: (index: number) => {
      const full = (name: string): string => `layers.${index}.${name}.weight`;
      const of = (name: string, shape: readonly [number, number]): Matrix =>
        matrix(g, full(name), dtype, shape, maxBindingBytes);
      return {
        attentionNorm: g.weight(full('attention_norm'), 'f32', [dim]),
        wqkv: of('attention.wqkv', [(nHead + 2 * nKvHead) * headDim, dim]),
        wo: of('attention.wo', [dim, dim]),
        ffnNorm: g.weight(full('ffn_norm'), 'f32', [dim]),
        w1: of('feed_forward.w1', [hiddenDim, dim]),
        w3: of('feed_forward.w3', [hiddenDim, dim]),
        w2: of('feed_forward.w2', [dim, hiddenDim]),
      };
    },
  };
}
