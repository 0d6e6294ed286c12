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
  /**
   * Where each row stands (`packRows`): u32 [rows, 4]. Its condition is a class, numClasses for none; of
   * a caption the line of `conditions` where its slot's begin.
   */
  readonly rowTable: Tensor;
  /** u32 [slots, blockSize]. */
  readonly tokens: Tensor;
  /** (cos, sin) table of `ropeTable`: f32 [positions, headDim / 2, 2]. */
  readonly rope: Tensor;
  /** Where text is the condition. */
  readonly text?: TextInputs | undefined;
}

/** What rows behind a caption read. */
export interface TextInputs {
  /**
   * Condition tokens of every slot, and those of no caption after them: f32
   * [(slots + 1) * clsTokenNum, dim]. Captions are at the end of theirs, behind padding.
   */
  readonly conditions: Tensor;
  /** First position of each slot that is not padding: u32 [slots]. */
  readonly firsts: Tensor;
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

/** Lines of `conditions`: those of every slot, and of no caption. */
export const conditionLines = ({ clsTokenNum }: GptConfig, slots: number): number =>
  (slots + 1) * clsTokenNum;

/** Condition of rows without any: the class after the last, or the line where no caption begins. */
export const noCondition = (
  { modelType, numClasses, clsTokenNum }: GptConfig,
  slots: number,
): number => (modelType === 'c2i' ? numClasses : slots * clsTokenNum);

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
  pass: PassShape,
  precision: Precision,
  inputs: GptInputs,
  ops: TransformerOps,
): Passed {
  const { dim, vocabSize, normEps } = config;
  const { x, hidden } = layers(g, config, pass, precision, inputs, ops);
  const w = weightsOf(g, config, precision, inputs.text);
  const head = { rows: pass.rows, inDim: dim, outDim: vocabSize, normEps };
  const storage = { dtype: headDtypeOf(precision), variant: precision.variant };
  const last = { x, gain: w.norm, weight: w.output };
  const logits = run({ g, ...precision }, ops.normProduct, { ...head, ...storage }, last);
  return { hidden, logits };
}

/** Every row through every layer; where nothing but the cache is wanted, the last one ends with its own. */
export function layers(
  g: Graph,
  config: GptConfig,
  { rows, slots }: PassShape,
  precision: Precision,
  { rowTable, tokens, rope, text }: GptInputs,
  ops: TransformerOps,
  cacheOnly = false,
): { readonly x: Tensor; readonly hidden: readonly Tensor[] } {
  const { dim, hiddenDim, vocabSize, blockSize, normEps, nHead, nKvHead, headDim } = config;
  const { variant, dtype, kvDtype } = precision;
  const w = weightsOf(g, config, precision, text);
  const on = { g, ...precision };
  const all = { rows, variant };
  const product = { ...all, dtype, normEps };
  const back = (inDim: number) => ({ ...all, dtype, inDim, outDim: dim });
  const cache = { slots, nHead, nKvHead, headDim, positions: positionsOf(config), kvDtype };
  const kvShape = [2, slots, nKvHead, cache.positions, headDim];
  const tables = { vocabSize, blockSize, dtype: tableDtypeOf(precision), ...w.labels };
  const padding = text && { firsts: text.firsts };

  const embedded = { rowTable, tokens, labelTable: w.labelTable, tokenTable: w.tokenTable };
  let x = embedRows(g, { rows, capacity: slots, dim, ...tables }, embedded);
  const hidden: Tensor[] = [];
  for (let layer = 0; layer < config.nLayer; layer++) {
    const l = w.layer(layer);
    const kv = g.state(`layers.${layer}.kv`, kvDtype, kvShape);
    const attending = { x, gain: l.attentionNorm, weight: l.wqkv, rope, rowTable, kv };
    const q = run(on, ops.qkv, { ...product, ...cache, dim }, attending);
    if (cacheOnly && layer === config.nLayer - 1) break;
    const attended = { ...all, ...cache, padded: text !== undefined };
    const heads = run(on, ops.attention, attended, { q, kv, rowTable, ...padding });
    x = run(on, ops.addProduct, back(dim), { x: heads, weight: l.wo, residual: x });
    const gating = { x, gain: l.ffnNorm, w1: l.w1, w3: l.w3 };
    const gated = run(on, ops.swiglu, { ...product, dim, hiddenDim }, gating);
    x = run(on, ops.addProduct, back(hiddenDim), { x: gated, weight: l.w2, residual: x });
    hidden.push(x);
  }
  return { x, hidden };
}

export function gptInputs(g: Graph, config: GptConfig, { rows, slots }: PassShape): GptInputs {
  const text = config.modelType === 't2i' ? textInputs(g, config, slots) : undefined;
  return {
    rowTable: g.state('rows', 'u32', [rows, ROW_WORDS]),
    tokens: g.state('tokens', 'u32', [slots, config.blockSize]),
    rope: g.state('rope', 'f32', [positionsOf(config), config.headDim / 2, 2]),
    text,
  };
}

const textInputs = (g: Graph, config: GptConfig, slots: number): TextInputs => ({
  conditions: g.state('conditions', 'f32', [conditionLines(config, slots), config.dim]),
  firsts: g.state('firsts', 'u32', [slots]),
});

/** Handles of the weights under their official state-dict names, and the table of conditions. */
function weightsOf(
  g: Graph,
  config: GptConfig,
  precision: Precision,
  text: TextInputs | undefined,
) {
  const { dim, hiddenDim, nHead, nKvHead, headDim, vocabSize, numClasses, clsTokenNum } = config;
  const { dtype, maxBindingBytes } = precision;
  const head = headDtypeOf(precision);
  const ofTable = tableDtypeOf(precision);
  const tokens = [vocabSize, dim] as const;
  const labels = text?.conditions.shape[0] ?? numClasses + 1;
  return {
    labels: { labels, clsTokenNum, ...(text && { labelDtype: 'f32' as const }) },
    labelTable:
      text?.conditions ?? g.weight('cls_embedding.embedding_table.weight', ofTable, [labels, dim]),
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
