/** `model.json`: what a model folder holds and how it likes to be sampled. */
import { WeightsError } from '../errors.ts';
import { parseJson } from '../weights/json-text.ts';
import { quote } from '../weights/quote.ts';
import { type GptConfig, parseGptConfig } from './gpt-config.ts';
import { Fields } from './json-fields.ts';
import { parseVqConfig, type VqConfig } from './vq-config.ts';

/** The format this version reads and writes. */
export const MODEL_FORMAT = 'llamagen-webgpu/1';

/** How a model is sampled when the caller does not say. */
export interface SamplingDefaults {
  /** Strength of classifier-free guidance; 1 or less switches it off. */
  readonly cfgScale: number;
  readonly temperature: number;
  /** Number of best logits kept; 0 keeps all. */
  readonly topK: number;
  /** Probability mass kept, above 0 and at most 1. */
  readonly topP: number;
  /** Guidance stops after token cfgInterval + 1; -1 never stops it. */
  readonly cfgInterval: number;
}

/** The largest values of sampling settings, those that `generate` takes. */
const MAX_SCALE = 1000;
const MAX_TEMPERATURE = 1000;
const MAX_INT = 2 ** 31 - 1;

/** How prompts are read, where text is the condition. */
export interface TextSettings {
  /** Most tokens of a prompt, the end token among them. */
  readonly maxLength: number;
  /** Whether prompts are cleaned as the official sampler cleans them. */
  readonly clean: boolean;
  /** Things that it was trained to draw, where they are few enough to be listed. */
  readonly words?: readonly string[] | undefined;
}

export interface ModelJson {
  readonly name: string;
  readonly description: string;
  readonly gpt: GptConfig;
  readonly vq: VqConfig;
  /** One unique name per class, in the order of the labels; none where text is the condition. */
  readonly classNames: readonly string[];
  /** Where text is the condition. */
  readonly text?: TextSettings | undefined;
  readonly sampling: SamplingDefaults;
  /** Licence of the weights. */
  readonly license: string;
  /** How the weights came about. */
  readonly trained: string;
}

/**
 * Reads the content of a `model.json`.
 * @param text The file as text.
 * @param where What to call the file in messages.
 * @throws WeightsError that names field, value and expectation, also when decoder and tokenizer do
 * not fit together.
 */
export function parseModelJson(text: string, where = 'model.json'): ModelJson {
  const fields = new Fields(where, readText(text, where));
  const format = fields.get('format');
  if (format !== MODEL_FORMAT) {
    fields.fail('format', `"${MODEL_FORMAT}", the one this version reads`, format);
  }
  const gpt = parseGptConfig(fields.get('gpt'), `${where}: gpt`);
  const vq = parseVqConfig(fields.get('vq'), `${where}: vq`);
  if (gpt.vocabSize !== vq.codebookSize) {
    throw new WeightsError(
      `${where}: the decoder has "vocab_size" ${gpt.vocabSize}, but the tokenizer has ` +
        `"codebook_size" ${vq.codebookSize}: they were not made for each other`,
    );
  }
  return {
    name: fields.text('name'),
    description: fields.text('description'),
    gpt,
    vq,
    classNames: gpt.modelType === 'c2i' ? parseClasses(fields, gpt.numClasses) : [],
    ...(gpt.modelType === 't2i' && { text: parseText(fields, gpt) }),
    sampling: parseSampling(fields.get('sampling'), `${where}: sampling`, gpt),
    license: fields.text('license'),
    trained: fields.text('trained'),
  };
}

function readText(text: string, where: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new WeightsError(`${where}: not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function parseClasses(fields: Fields, numClasses: number): string[] {
  const value = fields.get('classes');
  if (!Array.isArray(value)) return fields.fail('classes', 'an array of class names', value);
  if (value.length !== numClasses) {
    throw new WeightsError(
      `${fields.where}: "classes" has ${value.length} names, but the decoder has "num_classes" ${numClasses}`,
    );
  }
  const labels = new Map<string, number>();
  for (const [label, name] of value.entries()) {
    if (typeof name !== 'string' || name.trim() === '') {
      return fields.fail(`classes[${label}]`, 'a class name', name);
    }
    const before = labels.get(name);
    if (before !== undefined) {
      throw new WeightsError(
        `${fields.where}: classes ${before} and ${label} are both ${quote(name)}`,
      );
    }
    labels.set(name, label);
  }
  return [...labels.keys()];
}

function parseText(fields: Fields, { clsTokenNum }: GptConfig): TextSettings {
  if (fields.get('classes') !== undefined) {
    fields.fail('classes', 'nothing beside "model_type" "t2i"', fields.get('classes'));
  }
  const text = new Fields(`${fields.where}: text`, fields.get('text') ?? {});
  const clean = text.get('clean') ?? true;
  const words = text.get('words');
  if (words !== undefined && !isTexts(words)) text.fail('words', 'an array of texts', words);
  return {
    maxLength: text.integer('max_length', 1, clsTokenNum, clsTokenNum),
    clean: typeof clean === 'boolean' ? clean : text.fail('clean', 'true or false', clean),
    ...(isTexts(words) && { words }),
  };
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');

/** What the official sampler of texts takes; there is none for classes, whose settings must be given. */
const TEXT_SAMPLING = { cfgScale: 7.5, temperature: 1, topK: 1000, topP: 1 };

function parseSampling(
  json: unknown,
  where: string,
  { modelType }: Pick<GptConfig, 'modelType'>,
): SamplingDefaults {
  const own: Partial<typeof TEXT_SAMPLING> = modelType === 't2i' ? TEXT_SAMPLING : {};
  const fields = new Fields(where, modelType === 't2i' ? (json ?? {}) : json);
  const upTo =
    (most: number) =>
    (value: number): boolean =>
      value >= 0 && value <= most;
  return {
    cfgScale: fields.number(
      'cfg_scale',
      `a number from 0 to ${MAX_SCALE}`,
      upTo(MAX_SCALE),
      own.cfgScale,
    ),
    temperature: fields.number(
      'temperature',
      `a number from 0 to ${MAX_TEMPERATURE}`,
      upTo(MAX_TEMPERATURE),
      own.temperature,
    ),
    topK: fields.integer('top_k', 0, MAX_INT, own.topK),
    topP: fields.number('top_p', 'a number above 0, at most 1', (p) => p > 0 && p <= 1, own.topP),
    cfgInterval: fields.integer('cfg_interval', -1, MAX_INT, -1),
  };
}
