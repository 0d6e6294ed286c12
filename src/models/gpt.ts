/**
 * The LlamaGen decoder: the transformer over any rows, and the graph that advances every sequence by
 * one token. Weights have the official names; `gptScorer` reads the same.
 * Source: LlamaGen autoregressive/models/gpt.py, Transformer; generate.py.
 */
import { ROW_WORDS } from '../../kernels/lib/row-table.ts';
import { advance } from '../../kernels/sampler/advance.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import { SEQUENCE_WORDS } from '../../kernels/sampler/sequence-table.ts';
import { PROGRESS_WORDS, WINDOW_WORDS } from '../../kernels/sampler/window-table.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { embedRows } from '../ops/embed.ts';
import { fewRows } from '../ops/few-rows.ts';
import { run } from '../ops/operation.ts';
import type { TransformerOps } from '../ops/transformer.ts';
import { type Matrix, matrix, table } from '../ops/weights.ts';
import type { GptConfig } from './gpt-config.ts';
import { headDtypeOf, type Precision, tableDtypeOf } from './precision.ts';

/** What a pass over the decoder has room for. */
export interface PassShape {
  /** Rows that are computed, and at most so many draws. */
  readonly rows: number;
  /** KV slots, and lines of tokens; a guided sequence takes two of them. */
  readonly slots: number;
  /** Whether what is drawn from is kept, for who reads it. Default false. */
  readonly keep?: boolean | undefined;
}

/** What every graph of the decoder is fed with. All are states: written before a run, changed only by kernels. */
export interface GptInputs {
  /** Where each row stands (`packRows`): u32 [rows, 4]. A class of numClasses is no condition. */
  readonly rowTable: Tensor;
  /** u32 [slots, blockSize]. */
  readonly tokens: Tensor;
  /** (cos, sin) table of `ropeTable`: f32 [positions, headDim / 2, 2]. */
  readonly rope: Tensor;
}

/** What a pass draws from, where it is kept. */
export interface Kept {
  /** What the sampler is given, guidance already applied: f32 [rows, vocabSize], a line a draw. */
  readonly logits: Tensor;
  /** The distribution the token is drawn from: f32 [rows, vocabSize], likewise. */
  readonly probs: Tensor;
}

export interface GptDecoder extends GptInputs {
  /** What draws (`packSequences`): u32 [rows, 12]. */
  readonly sequenceTable: Tensor;
  /** What each sequence has in the pass (`packWindows`): u32 [rows, 5]. */
  readonly windowTable: Tensor;
  /** How far each sequence is (`packStart`): u32 [slots, 4]. */
  readonly progress: Tensor;
  /** Draws that `advance` has not taken, NOT_DRAWN between passes: u32 [rows]. */
  readonly drawn: Tensor;
  readonly kept?: Kept | undefined;
}

/** What a pass gives of every row. */
export interface Passed {
  /** f32 [rows, vocabSize]. */
  readonly logits: Tensor;
  /** The residual stream after each layer: f32 [rows, dim]. */
  readonly hidden: readonly Tensor[];
}

/** Positions of a sequence: the condition tokens and the image tokens. */
export const positionsOf = ({ clsTokenNum, blockSize }: GptConfig): number =>
  clsTokenNum + blockSize;

/**
 * One pass: every sequence moves on, by a token or by as many of its window as are right. Five operations a
 * layer and four more, each a dispatch, but for those that their tile cuts into parts. The last of
 * them, `advance`, also places rows before a first pass.
 */
export function gptDecoder(
  g: Graph,
  config: GptConfig,
  pass: PassShape,
  precision: Precision,
): GptDecoder {
  const { vocabSize, blockSize, gridSize, clsTokenNum } = config;
  const { rows, slots: capacity, keep = false } = pass;
  const inputs = gptInputs(g, config, pass);
  const { rowTable, tokens } = inputs;
  const sequenceTable = g.state('sequences', 'u32', [rows, SEQUENCE_WORDS]);
  const windowTable = g.state('windows', 'u32', [rows, WINDOW_WORDS]);
  const progress = g.state('progress', 'u32', [capacity, PROGRESS_WORDS]);
  const drawn = g.state('drawn', 'u32', [rows]);
  const { logits: raw } = forward(g, config, pass, precision, inputs, fewRows);
  const { variant } = precision;
  const sizes = { sequences: rows, rows, vocabSize, clsTokenNum, variant };
  const drawing = { raw, sequenceTable, rowTable, drawn };
  const kept = keep ? g.call(sampleToken({ ...sizes, keep }), drawing) : undefined;
  if (!keep) g.call(sampleToken(sizes), drawing);
  const move = advance({ rows, capacity, blockSize, gridSize, clsTokenNum, variant });
  g.call(move, { windowTable, rowTable, drawn, tokens, progress });
  return { ...inputs, sequenceTable, windowTable, progress, drawn, kept };
}

/**
 * The transformer: the residual stream of every row after each layer, and its logits.
 * @param ops Those of few rows or of many.
 */
export function forward(
  g: Graph,
  config: GptConfig,
  { rows, slots }: PassShape,
  precision: Precision,
  { rowTable, tokens, rope }: GptInputs,
  ops: TransformerOps,
): Passed {
  const { dim, hiddenDim, vocabSize, blockSize, normEps, nHead, nKvHead, headDim } = config;
  const { variant, dtype, kvDtype } = precision;
  const w = weightsOf(g, config, precision);
  const on = { g, ...precision };
  const all = { rows, variant };
  const product = { ...all, dtype, normEps };
  const back = (inDim: number) => ({ ...all, dtype, inDim, outDim: dim });
  const cache = { slots, nHead, nKvHead, headDim, positions: positionsOf(config), kvDtype };
  const kvShape = [2, slots, nKvHead, cache.positions, headDim];
  const tables = { vocabSize, labels: w.labels, blockSize, dtype: tableDtypeOf(precision) };

  const embedded = { rowTable, tokens, labelTable: w.labelTable, tokenTable: w.tokenTable };
  let x = embedRows(g, { rows, capacity: slots, dim, ...tables, variant }, embedded);
  const hidden: Tensor[] = [];
  for (let layer = 0; layer < config.nLayer; layer++) {
    const l = w.layer(layer);
    const kv = g.state(`layers.${layer}.kv`, kvDtype, kvShape);
    const attending = { x, gain: l.attentionNorm, weight: l.wqkv, rope, rowTable, kv };
    const q = run(on, ops.qkv, { ...product, ...cache, dim }, attending);
    const heads = run(on, ops.attention, { ...all, ...cache }, { q, kv, rowTable });
    x = run(on, ops.addProduct, back(dim), { x: heads, weight: l.wo, residual: x });
    const gating = { x, gain: l.ffnNorm, w1: l.w1, w3: l.w3 };
    const gated = run(on, ops.swiglu, { ...product, dim, hiddenDim }, gating);
    x = run(on, ops.addProduct, back(hiddenDim), { x: gated, weight: l.w2, residual: x });
    hidden.push(x);
  }
  const head = { ...product, inDim: dim, outDim: vocabSize, dtype: headDtypeOf(precision) };
  const logits = run(on, ops.normProduct, head, { x, gain: w.norm, weight: w.output });
  return { hidden, logits };
}

export function gptInputs(g: Graph, config: GptConfig, { rows, slots }: PassShape): GptInputs {
  return {
    rowTable: g.state('rows', 'u32', [rows, ROW_WORDS]),
    tokens: g.state('tokens', 'u32', [slots, config.blockSize]),
    rope: g.state('rope', 'f32', [positionsOf(config), config.headDim / 2, 2]),
  };
}

/** Handles of the weights under their official state-dict names. */
function weightsOf(g: Graph, config: GptConfig, precision: Precision) {
  const { dim, hiddenDim, nHead, nKvHead, headDim, vocabSize, numClasses } = config;
  const { dtype, maxBindingBytes } = precision;
  const head = headDtypeOf(precision);
  const labels = numClasses + 1;
  const ofTable = tableDtypeOf(precision);
  const tokens = [vocabSize, dim] as const;
  return {
    labels,
    labelTable: g.weight('cls_embedding.embedding_table.weight', ofTable, [labels, dim]),
    tokenTable: table(g, 'tok_embeddings.weight', ofTable, tokens, maxBindingBytes),
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
