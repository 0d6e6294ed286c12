/**
 * The LlamaGen decoder as graphs: one that advances every sequence by one token, and one that scores
 * given tokens in a single pass. Both read the same weights under the official names.
 * Source: LlamaGen autoregressive/models/gpt.py, Transformer; generate.py.
 */
import { attention } from '../../kernels/attention/attention.ts';
import type { AttentionTile } from '../../kernels/attention/attention-tile.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { embed } from '../../kernels/embed/embed.ts';
import { ROW_WORDS } from '../../kernels/lib/row-table.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import { linear } from '../../kernels/product/linear.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import type { ProductShape, ProductTile } from '../../kernels/product/product-tile.ts';
import { siluMul, swiglu } from '../../kernels/product/swiglu.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import { SEQUENCE_WORDS } from '../../kernels/sampler/sequence-table.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { attentionKey, productKey, type Tiles, tileOf } from '../ops/tiles.ts';
import { attendInParts } from './gpt-attention.ts';
import type { GptConfig } from './gpt-config.ts';
import { linearPlus } from './gpt-product.ts';
import { callParts, type Matrix, matrix, table } from './matrix.ts';
import { headDtypeOf, type Precision, tableDtypeOf } from './precision.ts';

/** What a pass over the decoder has room for. */
export interface PassShape {
  /** Rows that are computed, and at most so many sequences that draw. */
  readonly rows: number;
  /** KV slots, and lines of tokens; a guided sequence takes two of them. */
  readonly slots: number;
}

/** What both graphs are fed with. All are states: written before a run, changed only by kernels. */
export interface GptInputs {
  /** Where each row stands (`packRows`): u32 [rows, 4]. A class of numClasses is no condition. */
  readonly rowTable: Tensor;
  /** u32 [slots, blockSize]. */
  readonly tokens: Tensor;
  /** (cos, sin) table of `ropeTable`: f32 [positions, headDim / 2, 2]. */
  readonly rope: Tensor;
}

export interface GptDecoder extends GptInputs {
  /** The sequences that draw (`packSequences`): u32 [rows, 12]. */
  readonly sequenceTable: Tensor;
  /** What the sampler is given, guidance already applied: f32 [rows, vocabSize], a line a sequence. */
  readonly logits: Tensor;
  /** The distribution the token is drawn from: f32 [rows, vocabSize], likewise. */
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

/**
 * One decoding step: every sequence of the table moves one token on. Five dispatches a layer and three more; one more
 * where the tile of attention or of a product that is added to the stream has parts.
 */
export function gptDecoder(
  g: Graph,
  config: GptConfig,
  pass: PassShape,
  precision: Precision,
): GptDecoder {
  const { dim, hiddenDim, vocabSize, blockSize, clsTokenNum, normEps } = config;
  const { rows, slots } = pass;
  const { variant, dtype, tiles } = precision;
  const inputs = gptInputs(g, config, pass);
  const { rowTable, tokens, rope } = inputs;
  const sequenceTable = g.state('sequences', 'u32', [rows, SEQUENCE_WORDS]);
  const w = weightsOf(g, config, precision);
  const common = { rows, normEps, dtype, variant };

  let x = embedRows(g, config, pass, inputs, precision);
  for (let layer = 0; layer < config.nLayer; layer++) {
    const l = w.layer(layer);
    const cache = { ...cacheShape(config, slots, precision), variant };
    const kv = cacheOf(g, config, slots, precision, layer);
    const qkv = { ...common, ...cache, dim, nHead: config.nHead };
    const width = (config.nHead + 2 * config.nKvHead) * config.headDim;
    const qkvTile = wholeTile(tiles, { inDim: dim, outDim: width, dtype });
    const { q } = callParts(
      g,
      (columns) => qkvRopeCache({ ...qkv, tile: qkvTile, ...(columns && { columns }) }),
      { weight: l.wqkv },
      { x, gain: l.attentionNorm, rope, rowTable, kv },
    );
    const heads = attendInParts(
      g,
      { rows, ...cache, nHead: config.nHead },
      { q, kv, rowTable },
      tiles,
    );
    const narrow = { rows, outDim: dim, dtype, variant };
    x = linearPlus(g, { ...narrow, inDim: dim }, l.wo, { x: heads, residual: x }, tiles);
    const gated = { inDim: dim, outDim: hiddenDim, dtype, weights: 2 };
    const hidden = callParts(
      g,
      (columns) =>
        swiglu({
          ...common,
          tile: wholeTile(tiles, gated),
          dim,
          hiddenDim,
          ...(columns && { columns }),
        }),
      { w1: l.w1, w3: l.w3 },
      { x, gain: l.ffnNorm },
    ).out;
    x = linearPlus(g, { ...narrow, inDim: hiddenDim }, l.w2, { x: hidden, residual: x }, tiles);
  }
  const head = { ...common, inDim: dim, outDim: vocabSize, dtype: headDtypeOf(precision) };
  const raw = callParts(
    g,
    (columns) => linear({ ...head, tile: wholeTile(tiles, head), ...(columns && { columns }) }),
    { weight: w.output },
    { x, gain: w.norm },
  ).out;
  const sample = {
    sequences: rows,
    rows,
    capacity: slots,
    vocabSize,
    blockSize,
    clsTokenNum,
    variant,
  };
  const { logits, probs } = g.call(sampleToken(sample), { raw, sequenceTable, rowTable, tokens });
  return { ...inputs, sequenceTable, logits, probs };
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
  const { variant, dtype, tiles } = precision;
  const rows = sequences * positionsOf(config);
  const pass = { rows, slots: sequences };
  const inputs = gptInputs(g, config, pass);
  const { rowTable, rope } = inputs;
  const w = weightsOf(g, config, precision);
  const norm = (x: Tensor, gain: Tensor): Tensor =>
    g.call(rmsNorm({ rows, dim, eps: config.normEps, variant }), { x, gain }).out;
  const product = (x: Tensor, weight: Matrix, inDim: number, outDim: number, as = dtype) => {
    const tile = wholeTile(tiles, { inDim, outDim, dtype: as });
    const params = { rows, inDim, outDim, dtype: as, variant, tile };
    const make = (columns?: Columns) => matmul({ ...params, ...(columns && { columns }) });
    return callParts(g, make, { weight }, { x }).out;
  };
  const matmulPlus = (x: Tensor, weight: Matrix, residual: Tensor, inDim: number): Tensor => {
    const tile = wholeTile(tiles, { inDim, outDim: dim, dtype });
    const params = { rows, inDim, outDim: dim, dtype, variant, tile, residual: true } as const;
    const make = (columns?: Columns) => matmul({ ...params, ...(columns && { columns }) });
    return callParts(g, make, { weight }, { x, residual }).out;
  };

  const hidden: Tensor[] = [];
  let x = embedRows(g, config, pass, inputs, precision);
  for (let layer = 0; layer < config.nLayer; layer++) {
    const l = w.layer(layer);
    const cache = { rows, nHead, ...cacheShape(config, sequences, precision) };
    const kv = cacheOf(g, config, sequences, precision, layer);
    const width = (nHead + 2 * nKvHead) * headDim;
    const qkv = product(norm(x, l.attentionNorm), l.wqkv, dim, width);
    const { q } = g.call(ropeCache(cache), { qkv, rope, rowTable, kv });
    const { split: _, ...tile } = tileOf<AttentionTile & { split: number }>(
      tiles,
      attentionKey(cache),
    );
    const heads = g.call(attention({ ...cache, variant, tile }), { q, kv, rowTable }).out;
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

/** The tile of a product that is one dispatch. */
function wholeTile(tiles: Tiles | undefined, shape: ProductShape): Partial<ProductTile> {
  const { split: _, ...tile } = tileOf<ProductTile & { split: number }>(tiles, productKey(shape));
  return tile;
}

function gptInputs(g: Graph, config: GptConfig, { rows, slots }: PassShape): GptInputs {
  return {
    rowTable: g.state('rows', 'u32', [rows, ROW_WORDS]),
    tokens: g.state('tokens', 'u32', [slots, config.blockSize]),
    rope: g.state('rope', 'f32', [positionsOf(config), config.headDim / 2, 2]),
  };
}

function embedRows(
  g: Graph,
  config: GptConfig,
  { rows, slots }: PassShape,
  inputs: GptInputs,
  precision: Precision,
): Tensor {
  const dtype = tableDtypeOf(precision);
  const { variant, maxBindingBytes } = precision;
  const { dim, vocabSize, numClasses, blockSize } = config;
  const { rowTable, tokens } = inputs;
  const labels = numClasses + 1;
  const sizes = { rows, capacity: slots, dim, vocabSize, labels };
  const name = 'cls_embedding.embedding_table.weight';
  const labelTable = g.weight(name, dtype, [labels, dim]);
  const size = [vocabSize, dim] as const;
  const tokenTable = table(g, 'tok_embeddings.weight', dtype, size, maxBindingBytes);
  return callParts(
    g,
    (held) => embed({ ...sizes, blockSize, dtype, variant, ...(held && { held }) }),
    { tokenTable },
    { rowTable, tokens, labelTable },
  ).out;
}

const cacheShape = (config: GptConfig, slots: number, { kvDtype }: Precision) => ({
  slots,
  nKvHead: config.nKvHead,
  positions: positionsOf(config),
  headDim: config.headDim,
  kvDtype,
});

function cacheOf(
  g: Graph,
  config: GptConfig,
  slots: number,
  precision: Precision,
  layer: number,
): Tensor {
  const { nKvHead, positions, headDim, kvDtype } = cacheShape(config, slots, precision);
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
