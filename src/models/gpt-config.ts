/** Sizes of a LlamaGen decoder: official names in, what graphs need out (gpt.py, class ModelArgs). */
import type { NamedTensors, WantedTensor } from '../weights/join.ts';
import { Fields } from './json-fields.ts';

/** What a decoder is conditioned on: classes, or the features of a text. */
export type ModelType = 'c2i' | 't2i';

export interface GptConfig {
  readonly modelType: ModelType;
  /** Features of a token. */
  readonly dim: number;
  readonly nLayer: number;
  readonly nHead: number;
  /** Heads of keys and values; each serves nHead / nKvHead query heads. */
  readonly nKvHead: number;
  /** Features of a head: dim / nHead, a multiple of 4 (2-D RoPE). */
  readonly headDim: number;
  /** Features inside the feed-forward block. */
  readonly hiddenDim: number;
  /** Image codes to choose from; equals the codebook size of the VQ model. */
  readonly vocabSize: number;
  /** Real classes; label `numClasses` is the unconditional one. 0 where text is the condition. */
  readonly numClasses: number;
  /** Features of a token of a caption. 0 where a class is the condition. */
  readonly captionDim: number;
  /** Condition tokens in front of the image: 1 class token, or the most tokens of a caption. */
  readonly clsTokenNum: number;
  /** Image tokens: gridSize squared. */
  readonly blockSize: number;
  /** Rows and columns of the token grid. */
  readonly gridSize: number;
  readonly ropeBase: number;
  readonly normEps: number;
}

/** Bounds that no model comes near; beyond them a config is broken, not big. */
const MAX_DIM = 65536;
const MAX_LAYERS = 1024;
const MAX_VOCAB = 2 ** 20;
const MAX_CLASSES = 2 ** 20;
const MAX_BLOCK = 65536;
const MAX_CAPTION = 4096;

/** The official CaptionEmbedder. */
export const CAPTION_TOKENS = 120;
const CAPTION_DIM = 2048;

/** Official models: layers, heads, features of a token. */
export const GPT_SIZES = {
  'GPT-B': { nLayer: 12, nHead: 12, dim: 768 },
  'GPT-L': { nLayer: 24, nHead: 16, dim: 1024 },
  'GPT-XL': { nLayer: 36, nHead: 20, dim: 1280 },
  'GPT-XXL': { nLayer: 48, nHead: 24, dim: 1536 },
  'GPT-XXXL': { nLayer: 48, nHead: 40, dim: 2560 },
  'GPT-1B': { nLayer: 22, nHead: 32, dim: 2048 },
  'GPT-3B': { nLayer: 24, nHead: 32, dim: 3200 },
  'GPT-7B': { nLayer: 32, nHead: 32, dim: 4096 },
} as const;

export type GptSize = keyof typeof GPT_SIZES;

/** Config of an official model for a grid of `grid` x `grid` tokens. */
export function gptConfig(
  size: GptSize,
  grid: 16 | 24 | 32,
  modelType: ModelType = 'c2i',
): GptConfig {
  const { nLayer, nHead, dim } = GPT_SIZES[size];
  return parseGptConfig({
    model_type: modelType,
    dim,
    n_layer: nLayer,
    n_head: nHead,
    vocab_size: 16384,
    num_classes: 1000,
    block_size: grid * grid,
  });
}

/**
 * Reads the official ModelArgs. `dim`, `n_layer`, `n_head`, `vocab_size`, `block_size` and, without text,
 * `num_classes` must be there; other fields have the official defaults; unknown ones are ignored.
 * @param where What to call the object in messages.
 * @throws WeightsError that names field, value and expectation.
 */
export function parseGptConfig(json: unknown, where = 'gpt'): GptConfig {
  const fields = new Fields(where, json);
  const modelType = fields.get('model_type') ?? 'c2i';
  if (modelType !== 'c2i' && modelType !== 't2i') {
    return fields.fail('model_type', '"c2i" or "t2i"', modelType);
  }
  const hasText = modelType === 't2i';
  const dim = fields.integer('dim', 1, MAX_DIM);
  const nHead = fields.integer('n_head', 1, MAX_DIM);
  const nKvHead = fields.integer('n_kv_head', 1, MAX_DIM, nHead);
  const headDim = dim / nHead;
  if (!Number.isInteger(headDim)) fields.fail('dim', `a multiple of n_head (${nHead})`, dim);
  if (headDim % 4 !== 0) {
    fields.fail('dim', `n_head (${nHead}) times a multiple of 4, for 2-D RoPE`, dim);
  }
  if (nHead % nKvHead !== 0) fields.fail('n_kv_head', `a divisor of n_head (${nHead})`, nKvHead);
  const blockSize = fields.integer('block_size', 1, MAX_BLOCK);
  const gridSize = Math.round(Math.sqrt(blockSize));
  if (gridSize * gridSize !== blockSize) {
    fields.fail('block_size', 'a square number: the tokens of a square image', blockSize);
  }
  const positive = (value: number): boolean => value > 0;
  return {
    modelType,
    dim,
    nLayer: fields.integer('n_layer', 1, MAX_LAYERS),
    nHead,
    nKvHead,
    headDim,
    hiddenDim: hiddenDim(dim, fields),
    vocabSize: fields.integer('vocab_size', 1, MAX_VOCAB),
    // Official configs of either kind hold the fields of the other, which nothing reads.
    numClasses: hasText ? 0 : fields.integer('num_classes', 1, MAX_CLASSES),
    captionDim: hasText ? fields.integer('caption_dim', 1, MAX_DIM, CAPTION_DIM) : 0,
    // The official LabelEmbedder makes one token whatever the config says.
    clsTokenNum: hasText
      ? fields.integer('cls_token_num', 1, MAX_CAPTION, CAPTION_TOKENS)
      : fields.integer('cls_token_num', 1, 1, 1),
    blockSize,
    gridSize,
    ropeBase: fields.number('rope_base', 'a number above 0', positive, 10000),
    normEps: fields.number('norm_eps', 'a number above 0', positive, 1e-5),
  };
}

/** Both truncations and the rounding up are those of the official FeedForward. */
export function feedForwardDim(dim: number, multipleOf: number, multiplier: number): number {
  const hidden = Math.trunc(multiplier * Math.trunc((8 * dim) / 3));
  return Math.max(1, Math.ceil(hidden / multipleOf)) * multipleOf;
}

function hiddenDim(dim: number, fields: Fields): number {
  const multipleOf = fields.integer('multiple_of', 1, MAX_DIM, 256);
  const multiplier = fields.number(
    'ffn_dim_multiplier',
    'null or a number above 0, at most 64',
    (value) => value > 0 && value <= 64,
    1,
  );
  return feedForwardDim(dim, multipleOf, multiplier);
}

/**
 * Every weight of the model under its official name, layer by layer. Linear weights are [out, in].
 * @param uncondTokens Rows of the embedding that stands for no caption; of official files 120, whatever
 * their condition is. Default: as many as condition tokens.
 */
export function gptWeightShapes(
  config: GptConfig,
  uncondTokens: number = config.clsTokenNum,
): WantedTensor[] {
  const { dim, nLayer, nHead, nKvHead, headDim, hiddenDim, vocabSize } = config;
  const layer = (i: number): WantedTensor[] => [
    { name: `layers.${i}.attention_norm.weight`, shape: [dim] },
    { name: `layers.${i}.attention.wqkv.weight`, shape: [(nHead + 2 * nKvHead) * headDim, dim] },
    { name: `layers.${i}.attention.wo.weight`, shape: [dim, dim] },
    { name: `layers.${i}.ffn_norm.weight`, shape: [dim] },
    { name: `layers.${i}.feed_forward.w1.weight`, shape: [hiddenDim, dim] },
    { name: `layers.${i}.feed_forward.w3.weight`, shape: [hiddenDim, dim] },
    { name: `layers.${i}.feed_forward.w2.weight`, shape: [dim, hiddenDim] },
  ];
  return [
    ...conditionShapes(config, uncondTokens),
    { name: 'tok_embeddings.weight', shape: [vocabSize, dim] },
    ...Array.from({ length: nLayer }, (_, i) => layer(i)).flat(),
    { name: 'norm.weight', shape: [dim] },
    { name: 'output.weight', shape: [vocabSize, dim] },
  ];
}

function conditionShapes(config: GptConfig, uncondTokens: number): WantedTensor[] {
  const { modelType, dim, numClasses, captionDim } = config;
  if (modelType === 'c2i') {
    return [{ name: 'cls_embedding.embedding_table.weight', shape: [numClasses + 1, dim] }];
  }
  return [
    { name: UNCOND_EMBEDDING, shape: [uncondTokens, captionDim] },
    { name: 'cls_embedding.cap_proj.fc1.weight', shape: [dim, captionDim] },
    { name: 'cls_embedding.cap_proj.fc2.weight', shape: [dim, dim] },
  ];
}

export const UNCOND_EMBEDDING = 'cls_embedding.uncond_embedding';

/** Rows of the embedding that stands for no caption, as a file has them; no fewer than are needed. */
export const uncondTokensOf = (
  { tensors }: NamedTensors,
  { clsTokenNum }: Pick<GptConfig, 'clsTokenNum'>,
): number => Math.max(clsTokenNum, tensors.get(UNCOND_EMBEDDING)?.shape[0] ?? 0);

/** Number of values in all weights. */
export const gptParameterCount = (config: GptConfig): number =>
  gptWeightShapes(config).reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
