/** The config of a decoder, off its name, its shapes, the arguments of its training and the caller's. */
import { OptionError } from '../errors.ts';
import { matchTensors } from '../weights/join.ts';
import { agreed, asked, type Ignorable, type Statement } from './agreement.ts';
import { argsOf, type DescribedTensors, type ModelArgs, Shapes } from './checkpoint-config.ts';
import {
  CAPTION_TOKENS,
  feedForwardDim,
  GPT_SIZES,
  type GptConfig,
  type GptSize,
  gptWeightShapes,
  type ModelType,
  parseGptConfig,
  UNCOND_EMBEDDING,
  uncondTokensOf,
} from './gpt-config.ts';
import { gridSide, tableHeads } from './infer-grid.ts';
import type { TrainingArgs } from './training-args.ts';

/** What shapes do not tell, or not alone. */
export interface GptHints {
  /** Rows and columns of the token grid. */
  readonly grid?: number | undefined;
  /** Attention heads; needed when nothing in the file tells them. */
  readonly heads?: number | undefined;
  /** Rows and columns of pixels that a code of the tokenizer stands for. Default: not known. */
  readonly downsample?: number | undefined;
  /** What is left out of account. Default: nothing. */
  readonly ignore?: readonly Ignorable[] | undefined;
}

const CLASSES = 'cls_embedding.embedding_table.weight';
const TOKENS = 'tok_embeddings.weight';
const CAPTIONS = 'cls_embedding.cap_proj.fc1.weight';

/**
 * Reads the config of a decoder and checks every tensor.
 * @throws WeightsError when a tensor is missing, unexpected or misshapen; OptionError when the grid or
 * the number of heads must be given. Where name, arguments, shapes and hints contradict each other: an
 * OptionError if a hint is among them, else a WeightsError.
 */
export function inferGpt(
  file: DescribedTensors,
  hints: GptHints,
): { readonly args: ModelArgs; readonly config: GptConfig } {
  const { name } = file;
  const shapes = new Shapes(file);
  const sources = argsOf(file, hints.ignore ?? []);
  const sized: Sized = (field, seen, ...others) => settled(name, sources, field, seen, others);
  const modelType = kind(name, shapes, sources);
  const { dim, nLayer, nHead } = network(name, shapes, sources, hints);
  const condition = conditionArgs(modelType, shapes, sized);
  const conditionTokens = condition.cls_token_num;
  const side = gridSide(file, shapes, sources, { ...hints, dim, conditionTokens });
  const nKvHead = sized('n_kv_head', keyHeads(shapes, dim, nHead)) ?? nHead;
  const args: ModelArgs = {
    model_type: modelType,
    dim,
    n_layer: nLayer,
    n_head: nHead,
    n_kv_head: nKvHead === nHead ? null : nKvHead,
    ...feedForwardArgs(dim, feedForward(name, shapes, sources, dim)),
    rope_base: chosen(name, sources, 'rope_base') ?? 10000,
    norm_eps: chosen(name, sources, 'norm_eps') ?? 1e-5,
    vocab_size:
      sized(
        'vocab_size',
        shapes.says(TOKENS, ([codes]) => codes),
        'codebook_size',
      ) ?? 16384,
    ...condition,
    block_size: side * side,
  };
  const config = parseGptConfig(args, name);
  const wanted = gptWeightShapes(config, uncondTokensOf(file, config));
  matchTensors(file, wanted, { model: 'a LlamaGen decoder of its size' });
  return { args, config };
}

/** What the decoder is conditioned on, by its tensors and whoever else says it. */
function kind(name: string, shapes: Shapes, sources: readonly TrainingArgs[]): ModelType {
  const said = [
    shapes.says<ModelType>(CLASSES, () => 'c2i'),
    shapes.says<ModelType>(UNCOND_EMBEDDING, () => 't2i'),
    ...sources.flatMap(kindsOf),
  ];
  return agreed(name, 'the kind of condition', said) ?? 'c2i';
}

type ConditionArgs = ModelArgs & { readonly cls_token_num: number };

function conditionArgs(modelType: ModelType, shapes: Shapes, sized: Sized): ConditionArgs {
  const tokens = sized('cls_token_num', undefined);
  if (modelType === 'c2i') {
    const classes = shapes.says(CLASSES, classesOf, (n) => `${n} and one for none`);
    return { num_classes: sized('num_classes', classes) ?? 1000, cls_token_num: tokens ?? 1 };
  }
  const features = shapes.says(CAPTIONS, (shape) => shape[1]);
  return {
    caption_dim: sized('caption_dim', features) ?? 2048,
    // The embedding of no caption may have more rows than a condition has tokens, never fewer.
    cls_token_num: tokens ?? shapes.size(UNCOND_EMBEDDING, 0, CAPTION_TOKENS),
  };
}

type Sized = (
  field: string,
  seen: Statement<number> | undefined,
  ...others: readonly string[]
) => number | undefined;

/** A size that shapes tell and arguments may name, under other names too. */
function settled(
  name: string,
  sources: readonly TrainingArgs[],
  field: string,
  seen: Statement<number> | undefined,
  others: readonly string[],
): number | undefined {
  const said = sources.flatMap((args) => [field, ...others].map((each) => args.saysCount(each)));
  return agreed(name, field, [seen, ...said]);
}

/** A number that arguments alone tell. */
function chosen(name: string, sources: readonly TrainingArgs[], field: string): number | undefined {
  const said = sources.map((args) => {
    const value = args.number(field);
    return value === undefined ? undefined : args.said(value, [field]);
  });
  return agreed(name, field, said);
}

/** The last row of the table is for no class. */
const classesOf = ([rows]: readonly number[]): number | undefined =>
  rows === undefined ? undefined : rows - 1;

/** Features, layers and heads, which an official name of the size tells too. */
function network(
  name: string,
  shapes: Shapes,
  sources: readonly TrainingArgs[],
  { heads, ignore = [] }: GptHints,
): { readonly dim: number; readonly nLayer: number; readonly nHead: number } {
  const said = (field: string, size: SizeField) =>
    sources.flatMap((args) => [args.saysCount(field), ofModel(args, size)]);
  const features = shapes.says(TOKENS, (shape) => shape[1]);
  const dim = agreed(name, 'dim', [features, ...said('dim', 'dim')]) ?? GPT_SIZES['GPT-B'].dim;
  const nLayer = shapes.count(/^layers\.(\d+)\./);
  const layers = {
    by: 'shapes',
    value: nLayer,
    text: `layers up to layers.${nLayer - 1}`,
  } as const;
  agreed(name, 'n_layer', [nLayer > 0 ? layers : undefined, ...said('n_layer', 'nLayer')]);
  const table = ignore.includes('buffers') ? undefined : tableHeads(shapes, dim);
  const nHead =
    agreed(name, 'n_head', [asked('--heads', heads), table, ...said('n_head', 'nHead')]) ??
    // An official size has its own number, unless somebody says another.
    Object.values(GPT_SIZES).find((size) => size.dim === dim && size.nLayer === nLayer)?.nHead;
  if (nHead !== undefined) return { dim, nLayer, nHead };
  throw new OptionError(
    `${name}: has ${nLayer} layers of ${dim} features, which is no official size: ` +
      'give the number of attention heads (--heads)',
  );
}

type SizeField = 'dim' | 'nLayer' | 'nHead';

/** What the official name of a size says. */
function ofModel(args: TrainingArgs, field: SizeField): Statement<number> | undefined {
  const model = args.text('gpt_model')?.toUpperCase() ?? '';
  if (!Object.hasOwn(GPT_SIZES, model)) return undefined;
  const value = GPT_SIZES[model as GptSize][field];
  return args.said(value, ['gpt_model'], `${value}`);
}

function kindsOf(args: TrainingArgs): Statement<ModelType>[] {
  return ['gpt_type', 'model_type'].flatMap((field) => {
    const kind = args.text(field);
    return kind === 'c2i' || kind === 't2i' ? [args.said(kind, [field])] : [];
  });
}

/** Heads of keys and values, from the rows of the joint product; undefined where they make no sense. */
function keyHeads(shapes: Shapes, dim: number, nHead: number): Statement<number> | undefined {
  return shapes.says('layers.0.attention.wqkv.weight', ([rows = 0]) => {
    const count = (rows / (dim / nHead) - nHead) / 2;
    return Number.isInteger(count) && count >= 1 && count <= nHead ? count : undefined;
  });
}

/** Features inside the feed-forward block; 0 where there is no tensor to tell them. */
function feedForward(
  name: string,
  shapes: Shapes,
  sources: readonly TrainingArgs[],
  dim: number,
): number {
  const said = sources.map((args) => {
    const fields = ['multiple_of', 'ffn_dim_multiplier'];
    const given = fields.filter((field) => args.number(field) !== undefined);
    if (given.length === 0) return undefined;
    const [multipleOf = 256, multiplier = 1] = fields.map((field) => args.number(field));
    const value = feedForwardDim(dim, multipleOf, multiplier);
    return args.said(value, given, `${value}`);
  });
  const seen = shapes.says('layers.0.feed_forward.w1.weight', ([rows]) => rows);
  return agreed(name, 'the features of the feed-forward block', [seen, ...said]) ?? 0;
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
