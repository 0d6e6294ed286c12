/** Prompts: text in, features out, and pictures of them. */
import { OptionError, WeightsError } from '../errors.ts';
import { checkModel, type Model, readConfig } from '../load/model.ts';
import type { TransferOptions } from '../load/network.ts';
import { loadTextEncoder, type T5Encoder, type TextEncoderOptions } from '../load/text-encoder.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import type { ModelJson, TextSettings } from '../models/model-json.ts';
import { checkValue, having } from '../options.ts';
import { cleanCaption } from '../text/clean-caption.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { type ModelFiles, readExactly } from '../weights/source.ts';
import { type GenerateOptions, type GenerateResult, generate } from './generate.ts';
import { type ReadPrompt, readPrompts } from './read-prompts.ts';

/** Cuts prompts into the tokens of a model. It needs no device. */
export interface PromptReader {
  readonly settings: TextSettings;
  /**
   * @throws OptionError for a prompt that is empty, has control characters, or of which cleaning leaves
   * nothing.
   */
  read(prompts: readonly string[]): ReadPrompt[];
}

/** Features of a prompt, and what was read of it: an entry of the `captions` of `generate`. */
export interface EncodedPrompt extends CaptionFeatures, ReadPrompt {}

/** The text encoder of a model and its tokenizer, on a device. */
export interface TextModel {
  readonly reader: PromptReader;
  readonly encoder: T5Encoder;
  /**
   * Features of prompts, in their order. Those of a prompt depend on nothing else.
   * @throws What `PromptReader.read` and `T5Encoder.encode` throw.
   */
  encode(prompts: readonly string[], options?: TransferOptions): Promise<EncodedPrompt[]>;
  /** Frees the encoder's GPU memory: features need it no more. */
  destroy(): void;
}

const TOKENIZER = 'tokenizer.json';

/**
 * Opens the tokenizer of a model folder.
 * @param config The folder's `model.json`.
 * @throws OptionError when the model takes classes; WeightsError when there is no tokenizer, or a broken one.
 */
export async function openPromptReader(
  files: ModelFiles,
  config: Pick<ModelJson, 'name' | 'text'>,
): Promise<PromptReader> {
  const { name, text: settings } = config;
  if (!settings) {
    throw new OptionError(`${name} makes images of classes and reads no text: give it "classes"`);
  }
  const tokenizer = loadTokenizer(await readTokenizer(files), { where: TOKENIZER });
  return {
    settings,
    read: (prompts) => readPrompts(prompts, tokenizer, settings, cleanCaption),
  };
}

async function readTokenizer(files: ModelFiles): Promise<string> {
  try {
    const source = await files.open(TOKENIZER);
    return new TextDecoder().decode(await readExactly(source, 0, source.byteLength));
  } catch (cause) {
    if (!(cause instanceof WeightsError)) throw cause;
    throw new WeightsError(
      `${files.name}: prompts need ${TOKENIZER}, which cannot be read: ${cause.message}; without it a model takes features that were made before`,
      { cause },
    );
  }
}

/**
 * Loads what reads prompts for a model folder: its tokenizer and its text encoder.
 * @throws What `openPromptReader` and `loadTextEncoder` throw.
 */
export async function loadTextModel(
  device: GPUDevice,
  files: ModelFiles,
  options: TextEncoderOptions = {},
): Promise<TextModel> {
  checkValue('files', files, having('model files, of openFolder or openUrl,', 'open'));
  const reader = await openPromptReader(files, await readConfig(files));
  const { maxLength } = reader.settings;
  const encoder = await loadTextEncoder(device, files, { maxLength, ...options });
  return {
    reader,
    encoder,
    async encode(prompts, transfer) {
      const read = reader.read(prompts);
      const distinct = distinctIds(read);
      const features = await encoder.encode([...distinct.values()], transfer);
      const keys = [...distinct.keys()];
      return read.map((prompt) => {
        const found = features[keys.indexOf(keyOf(prompt))];
        if (!found) throw new Error('a prompt without features');
        return { ...prompt, ...found };
      });
    },
    destroy: () => encoder.destroy(),
  };
}

/** Tells the ids of prompts apart. */
export const keyOf = ({ ids }: Pick<ReadPrompt, 'ids'>): string => ids.join(' ');

/** The ids of prompts, those that are equal once. */
export const distinctIds = (
  prompts: readonly ReadPrompt[],
): ReadonlyMap<string, readonly number[]> =>
  new Map(prompts.map((prompt) => [keyOf(prompt), prompt.ids]));

/** Options of `generateFromPrompts`. */
export type PromptOptions = Omit<GenerateOptions, 'classes' | 'captions'>;

/**
 * Generates one image per prompt. `generate` does the same with the features that `text.encode` gives,
 * after which the text encoder may leave the device.
 * @throws What `TextModel.encode` and `generate` throw.
 */
export async function generateFromPrompts(
  model: Model,
  text: TextModel,
  prompts: readonly string[],
  options: PromptOptions = {},
): Promise<GenerateResult & { readonly captions: readonly EncodedPrompt[] }> {
  checkModel('generateFromPrompts', model);
  checkValue('text', text, having('a text model that loadTextModel has loaded', 'encode'));
  const captions = await text.encode(prompts, { signal: options.signal });
  return { ...(await generate(model, { ...options, captions })), captions };
}
