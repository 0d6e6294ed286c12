/** Recognises official checkpoints by their tensors, and reads the sizes off their shapes. */
import { OptionError, WeightsError } from '../errors.ts';
import { matchTensors, type NamedTensors } from '../weights/join.ts';
import {
  GPT_SIZES,
  type GptConfig,
  gptConfig,
  gptWeightShapes,
  parseGptConfig,
} from './gpt-config.ts';
import { parseVqConfig, VQ_16, type VqConfig } from './vq-config.ts';
import { vqWeightShapes } from './vq-weights.ts';

/** Official ModelArgs, as `model.json` holds them. */
export type ModelArgs = Readonly<Record<string, unknown>>;

/** Sizes that shapes do not tell. */
export interface GptHints {
  /** Rows and columns of the token grid. */
  readonly grid?: number;
  /** Attention heads; needed when the sizes are not official ones. */
  readonly heads?: number;
}

/** Tensors that only a text-conditional decoder has. */
const TEXT_TENSORS = ['cls_embedding.uncond_embedding', 'cls_embedding.cap_proj.fc1.weight'];

/**
 * Which network a file holds.
 * @throws WeightsError when it is neither, with names that are missing and unexpected, or when it
 * needs text.
 */
export function recognise(file: NamedTensors): 'gpt' | 'vq' {
  const has = (name: string): boolean => file.tensors.has(name);
  if (TEXT_TENSORS.some(has)) {
    throw new WeightsError(
      `${file.name}: is a text-conditional decoder; this version makes images of classes only, ` +
        'take one of the c2i checkpoints',
    );
  }
  if (has('tok_embeddings.weight') && has('cls_embedding.embedding_table.weight')) return 'gpt';
  if (has('quantize.embedding.weight') && has('decoder.conv_in.weight')) return 'vq';
  const isVq = [...file.tensors.keys()].some((name) => /^(encoder|decoder|quantize)\./.test(name));
  const [model, wanted] = isVq
    ? ['a LlamaGen tokenizer (VQ-16)', vqWeightShapes(VQ_16)]
    : ['a LlamaGen decoder (GPT-B)', gptWeightShapes(gptConfig('GPT-B', 16))];
  matchTensors(file, wanted, { model });
  throw new WeightsError(`${file.name}: neither a LlamaGen decoder nor a tokenizer`);
}

/**
 * Reads the config of a class-conditional decoder off its shapes and checks every tensor.
 * @throws WeightsError when a tensor is missing, unexpected or misshapen; OptionError when the grid or
 * the number of heads must be given.
 */
export function inferGpt(
  file: NamedTensors,
  { grid, heads }: GptHints,
): { readonly args: ModelArgs; readonly config: GptConfig } {
  const { name } = file;
  const size = sizeReader(file);
  const dim = size('tok_embeddings.weight', 1, GPT_SIZES['GPT-B'].dim);
  const nLayer = countIndices(file, /^layers\.(\d+)\./);
  const official = Object.values(GPT_SIZES).find((s) => s.dim === dim && s.nLayer === nLayer);
  const nHead = heads ?? official?.nHead;
  if (nHead === undefined) {
    throw new OptionError(
      `${name}: has ${nLayer} layers of ${dim} features, which is no official size: ` +
        'give the number of attention heads (--heads)',
    );
  }
  const side = grid ?? gridOfTable(size('freqs_cis', 0, 0)) ?? gridOfName(name);
  if (side === undefined) {
    throw new OptionError(
      `${name}: neither its name (like c2i_B_256.pt) nor its tensors tell the size of the image: ` +
        'give the rows of the token grid (--grid)',
    );
  }
  const hidden = size('layers.0.feed_forward.w1.weight', 0, 0);
  const qkv = size('layers.0.attention.wqkv.weight', 0, 3 * dim);
  const nKvHead = (qkv / (dim / nHead) - nHead) / 2;
  const grouped = Number.isInteger(nKvHead) && nKvHead >= 1 && nKvHead < nHead;
  const args: ModelArgs = {
    model_type: 'c2i',
    dim,
    n_layer: nLayer,
    n_head: nHead,
    n_kv_head: grouped ? nKvHead : null,
    ...feedForwardArgs(dim, hidden),
    rope_base: 10000,
    norm_eps: 1e-5,
    num_classes: size('cls_embedding.embedding_table.weight', 0, 1001) - 1,
    vocab_size: size('tok_embeddings.weight', 0, 16384),
    cls_token_num: 1,
    block_size: side * side,
  };
  const config = parseGptConfig(args, name);
  matchTensors(file, gptWeightShapes(config), { model: 'a LlamaGen decoder of its size' });
  return { args, config };
}

/**
 * Reads the config of a tokenizer off its shapes and checks every tensor. Whether the codebook is
 * normalised cannot be seen; official ones are.
 * @throws WeightsError when a tensor is missing, unexpected or misshapen.
 */
export function inferVq(file: NamedTensors): {
  readonly args: ModelArgs;
  readonly config: VqConfig;
} {
  const size = sizeReader(file);
  const ch = size('encoder.conv_in.weight', 0, VQ_16.ch);
  const multipliers = (part: string): number[] =>
    Array.from(
      { length: countIndices(file, new RegExp(`^${part}\\.conv_blocks\\.(\\d+)\\.`)) },
      (_, level) => size(`${part}.conv_blocks.${level}.res.0.conv1.weight`, 0, ch) / ch,
    );
  const args: ModelArgs = {
    ch,
    encoder_ch_mult: multipliers('encoder'),
    decoder_ch_mult: multipliers('decoder').reverse(),
    num_res_blocks: countIndices(file, /^encoder\.conv_blocks\.0\.res\.(\d+)\./),
    z_channels: size('decoder.conv_in.weight', 1, VQ_16.zChannels),
    codebook_size: size('quantize.embedding.weight', 0, VQ_16.codebookSize),
    codebook_embed_dim: size('quantize.embedding.weight', 1, VQ_16.codebookEmbedDim),
    codebook_l2_norm: true,
    in_channels: size('encoder.conv_in.weight', 1, VQ_16.inChannels),
    out_channels: size('decoder.conv_out.weight', 0, VQ_16.outChannels),
  };
  const config = parseVqConfig(args, file.name);
  matchTensors(file, vqWeightShapes(config), { model: 'a LlamaGen tokenizer of its size' });
  return { args, config };
}

/** Reads a size of a tensor, or gives the fallback where there is none: matching reports that. */
function sizeReader(file: NamedTensors) {
  return (tensor: string, axis: number, fallback: number): number =>
    file.tensors.get(tensor)?.shape[axis] ?? fallback;
}

/** Indices are not counted further: no model comes near, and a config with more is refused. */
const MAX_COUNT = 2000;

/** One more than the largest number that the pattern finds in a name. */
function countIndices(file: NamedTensors, pattern: RegExp): number {
  let count = 0;
  for (const name of file.tensors.keys()) {
    const index = pattern.exec(name)?.[1];
    if (index !== undefined) count = Math.max(count, Math.min(Number(index) + 1, MAX_COUNT));
  }
  return count;
}

/** The RoPE table has a row for the class token and one for each cell of the grid. */
function gridOfTable(rows: number): number | undefined {
  const side = Math.sqrt(rows - 1);
  return Number.isInteger(side) && side > 0 ? side : undefined;
}

/** Official names have the pixels of a side, of which a code stands for 16. */
function gridOfName(path: string): number | undefined {
  const pixels = /_(256|384|512)(?!\d)/.exec(path.split(/[\\/]/).at(-1) ?? '')?.[1];
  return pixels === undefined ? undefined : Number(pixels) / 16;
}

/** Arguments that give `hidden`: the official rounding where it does, else any that do. */
function feedForwardArgs(dim: number, hidden: number): ModelArgs {
  const base = Math.trunc((8 * dim) / 3);
  for (let multiple = 256; multiple >= 1; multiple /= 2) {
    if (Math.ceil(base / multiple) * multiple === hidden || hidden === 0) {
      return { multiple_of: multiple, ffn_dim_multiplier: null };
    }
  }
  return { multiple_of: 1, ffn_dim_multiplier: (hidden + 0.5) / base };
}
