/** The official checkpoints: where they are, what they hold, and which belong together. */
import { distance } from 'fastest-levenshtein';
import { OptionError } from '../errors.ts';
import {
  type GptConfig,
  type GptSize,
  gptConfig,
  gptParameterCount,
} from '../models/gpt-config.ts';
import { VQ_8, VQ_16, type VqConfig, vqParameterCount } from '../models/vq-config.ts';

/** One official file. */
export interface OfficialFile {
  /** Its name in the papers and scripts, such as `c2i_B_256`. */
  readonly name: string;
  /** Repository on the Hugging Face hub. */
  readonly repo: string;
  /** Path in the repository. */
  readonly file: string;
  readonly kind: 'c2i' | 't2i' | 'vq';
  /** Values in the weights of the model. */
  readonly parameters: number;
  /** How the file stores them: training ran in mixed precision over weights in f32. */
  readonly dtype: 'f32';
  /**
   * Bytes of the download, estimated as the parameters in `dtype`. The hub says the real size before
   * the first byte is fetched; files with optimizer state or EMA copies are larger.
   */
  readonly estimatedBytes: number;
}

/** A T5 on the hub, of which prompts need the encoder. */
export interface OfficialT5 {
  readonly repo: string;
  /** Values of the encoder, the embedding of tokens among them. */
  readonly parameters: number;
  /** Bytes of its tensors as the hub stores them, in f32. */
  readonly estimatedBytes: number;
}

/** An official model: one tokenizer, and the decoder it goes with unless it stands alone. */
export interface Checkpoint {
  /** The name `llamagen pull` takes, and that of the folder it makes. */
  readonly name: string;
  readonly gpt?: OfficialFile | undefined;
  readonly vq: OfficialFile;
  /** What reads prompts for a decoder of texts. */
  readonly t5?: OfficialT5 | undefined;
  /** Sizes of the decoder. */
  readonly gptConfig?: GptConfig | undefined;
  readonly vqConfig: VqConfig;
  /** Tokens in front of the image: one class, or a caption. */
  readonly conditionTokens: number;
  /** Rows and columns of the token grid; a tokenizer alone has none. */
  readonly grid?: number | undefined;
}

const C2I_REPO = 'FoundationVision/LlamaGen';
const T2I_REPO = 'peizesun/llamagen_t2i';

/**
 * FLAN-T5-XL: an embedding of 32128 tokens, 24 layers of four products of 2048 x 2048, three of
 * 2048 x 5120 and two norms, a table of 32 buckets for 32 heads, and a norm at the end.
 */
const FLAN_T5_XL_PARAMETERS =
  32128 * 2048 + 24 * (4 * 2048 * 2048 + 3 * 2048 * 5120 + 2 * 2048) + 32 * 32 + 2048;
const FLAN_T5_XL: OfficialT5 = {
  repo: 'google/flan-t5-xl',
  parameters: FLAN_T5_XL_PARAMETERS,
  estimatedBytes: 4 * FLAN_T5_XL_PARAMETERS,
};

/** Most names suggested for a misspelt one. */
const MAX_SUGGESTIONS = 3;

function official(
  name: string,
  repo: string,
  kind: OfficialFile['kind'],
  parameters: number,
): OfficialFile {
  const estimatedBytes = 4 * parameters;
  return { name, repo, file: `${name}.pt`, kind, parameters, dtype: 'f32', estimatedBytes };
}

function tokenizer(name: string, repo: string, vqConfig: VqConfig): Checkpoint {
  const vq = official(name, repo, 'vq', vqParameterCount(vqConfig));
  return { name: dashed(name), vq, vqConfig, conditionTokens: 0 };
}

const VQ_DS16_C2I = tokenizer('vq_ds16_c2i', C2I_REPO, VQ_16);
const VQ_DS8_C2I = tokenizer('vq_ds8_c2i', C2I_REPO, VQ_8);
const VQ_DS16_T2I = tokenizer('vq_ds16_t2i', T2I_REPO, VQ_16);

function classModel(name: string, gptSize: GptSize, grid: 16 | 24): Checkpoint {
  const config = gptConfig(gptSize, grid);
  const gpt = official(name, C2I_REPO, 'c2i', gptParameterCount(config));
  const shared = { ...VQ_DS16_C2I, conditionTokens: 1 };
  return { ...shared, name: dashed(name), gpt, gptConfig: config, grid };
}

function textModel(name: string, file: string, grid: 16 | 32): Checkpoint {
  const config = gptConfig('GPT-XL', grid, 't2i');
  const gpt = official(file, T2I_REPO, 't2i', gptParameterCount(config));
  const shared = { ...VQ_DS16_T2I, conditionTokens: config.clsTokenNum, t5: FLAN_T5_XL };
  return { ...shared, name, gpt, gptConfig: config, grid };
}

/** All official models, small to large. */
export const CHECKPOINTS: readonly Checkpoint[] = [
  classModel('c2i_B_256', 'GPT-B', 16),
  classModel('c2i_L_256', 'GPT-L', 16),
  classModel('c2i_B_384', 'GPT-B', 24),
  classModel('c2i_L_384', 'GPT-L', 24),
  classModel('c2i_XL_384', 'GPT-XL', 24),
  classModel('c2i_XXL_384', 'GPT-XXL', 24),
  classModel('c2i_3B_384', 'GPT-3B', 24),
  textModel('t2i-XL-256', 't2i_XL_stage1_256', 16),
  textModel('t2i-XL-512', 't2i_XL_stage2_512', 32),
  VQ_DS16_C2I,
  VQ_DS8_C2I,
  VQ_DS16_T2I,
];

/** The twelve official files. */
export const OFFICIAL_FILES: readonly OfficialFile[] = CHECKPOINTS.map(({ gpt, vq }) => gpt ?? vq);

/** The files of a model, tokenizer first: it is the smaller one. */
export function filesOf({ gpt, vq }: Checkpoint): readonly OfficialFile[] {
  return gpt ? [vq, gpt] : [vq];
}

/**
 * The official model of a name such as `c2i-B-256`, or of that of its decoder (`t2i_XL_stage1_256`);
 * upper case, `_` for `-` and the ending `.pt` do not matter. Undefined when there is none.
 */
export function findCheckpoint(name: string): Checkpoint | undefined {
  const wanted = normal(name);
  return CHECKPOINTS.find(({ name, gpt }) =>
    [name, gpt?.name ?? name].map(normal).includes(wanted),
  );
}

/**
 * Like `findCheckpoint`, for a name that must be one.
 * @throws OptionError with near names, else all.
 */
export function resolveCheckpoint(name: string): Checkpoint {
  const found = findCheckpoint(name);
  if (found) return found;
  const all = CHECKPOINTS.map((checkpoint) => checkpoint.name);
  const near = nearModelNames(all, name);
  throw new OptionError(
    near.length > 0
      ? `no official model "${name}": did you mean ${near.join(' or ')}?`
      : `no official model "${name}": there are ${all.join(', ')}`,
  );
}

/** Names of models near to a misspelt one, nearest first. */
export function nearModelNames(names: readonly string[], name: string): string[] {
  const wanted = normal(name);
  if (!wanted) return [];
  const most = Math.ceil(wanted.length / 3);
  return names
    .map((candidate) => {
      const known = normal(candidate);
      const far = distance(known, wanted);
      return { candidate, far: known.includes(wanted) ? Math.min(far, 1) : far };
    })
    .filter(({ far }) => far <= most)
    .sort((a, b) => a.far - b.far)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ candidate }) => candidate);
}

function dashed(name: string): string {
  return name.replaceAll('_', '-');
}

function normal(name: string): string {
  return dashed(name.trim().toLowerCase()).replace(/\.pt$/, '');
}
