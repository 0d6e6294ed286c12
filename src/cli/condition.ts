/** What a run draws: classes, prompts, or features of prompts. Settled before anything is loaded. */
import { existsSync } from 'node:fs';
import { OptionError } from '../errors.ts';
import {
  type FeaturesFile,
  type PromptFeatures,
  readFeaturesFile,
} from '../generate/features-file.ts';
import { openPromptReader, type PromptReader } from '../generate/prompts.ts';
import { cutNote, type ReadPrompt } from '../generate/read-prompts.ts';
import type { ModelJson } from '../index.ts';
import { checkCaption } from '../models/caption.ts';
import { captionsFolder } from '../node/caption-cache.ts';
import { defaultModelFolder, openFile, openFolder, textModelFolder } from '../node/files.ts';
import { parseClasses, repeatEach } from './arguments.ts';
import { type PromptArguments, promptsOf } from './prompt-lines.ts';
import type { Report } from './report.ts';

export interface ConditionArguments extends PromptArguments {
  readonly class?: readonly string[] | undefined;
  /** A file of `llamagen embed`. */
  readonly features?: string | undefined;
}

/** Prompts whose features are to be made. */
export interface PromptsToDraw {
  readonly reader: PromptReader;
  readonly prompts: readonly ReadPrompt[];
}

/** One entry for each kind of picture, in order. */
export type Condition =
  | { readonly classes: readonly number[] }
  | PromptsToDraw
  | {
      readonly file: string;
      readonly features: readonly PromptFeatures[];
      readonly encoder?: string | undefined;
    };

const WAYS = 'give --class NAMES, or --prompt TEXT, --prompts FILE or --features FILE';

/**
 * The folder of the model that a run takes: the one given, else the shipped one of its kind.
 * @throws OptionError when it is not said what to draw, or in two ways.
 */
export function modelFor(
  model: string | undefined,
  { class: classes, prompt, prompts, features }: ConditionArguments,
): string {
  const isText = [prompt, prompts, features].some((given) => given !== undefined);
  if (!isText && classes === undefined) throw new OptionError(`what is to be drawn? ${WAYS}`);
  if (isText && classes !== undefined) {
    throw new OptionError(
      'a run draws classes or prompts: leave out --class, or what else is given',
    );
  }
  if (features !== undefined && (prompt !== undefined || prompts !== undefined)) {
    throw new OptionError('--features stands for prompts: leave out one of them');
  }
  return model ?? (isText ? textModelFolder() : defaultModelFolder());
}

/**
 * What is to be drawn by the model of a folder.
 * @throws OptionError for what the model does not know or does not take; WeightsError when a file is broken.
 */
export async function conditionOf(
  folder: string,
  config: ModelJson,
  asked: ConditionArguments,
): Promise<Condition> {
  const { name, gpt, classNames } = config;
  const isText = gpt.modelType === 't2i';
  if (asked.class !== undefined) {
    if (!isText) return { classes: parseClasses(classNames, asked.class) };
    throw new OptionError(`--class: ${name} reads prompts and has no classes: give it --prompt`);
  }
  if (!isText) {
    const option = asked.features === undefined ? '--prompt' : '--features';
    throw new OptionError(
      `${option}: ${name} draws its ${gpt.numClasses} classes and reads no prompts: give it --class, or take a text model ("llamagen info" shows which are)`,
    );
  }
  if (asked.features !== undefined) return featuresOf(asked.features, config);
  const reader = await openPromptReader(openFolder(folder), config);
  return { reader, prompts: reader.read(promptsOf(asked) ?? []) };
}

async function featuresOf(file: string, { gpt }: ModelJson): Promise<Condition> {
  const { features, encoder }: FeaturesFile = await readFeaturesFile(await openFile(file));
  for (const [i, caption] of features.entries()) {
    checkCaption(gpt, caption, features.length === 1 ? file : `${file}: caption.${i}`);
  }
  return { file, features, encoder };
}

/** What images are of, each `count` times, one after another: class indices or prompts. */
export function subjectsOf(condition: Condition, count: number): readonly (number | string)[] {
  if ('classes' in condition) return repeatEach<number | string>(condition.classes, count);
  const texts = 'prompts' in condition ? condition.prompts : condition.features;
  return repeatEach<number | string>(
    texts.map(({ prompt = '' }) => prompt),
    count,
  );
}

/** Words of a model that a line shows. */
const SHOWN_WORDS = 6;

/** Says what the model does not read of the prompts, and the first time what it knows. */
export function noteTexts(
  { reader, prompts }: PromptsToDraw,
  { name, text }: ModelJson,
  report: Report,
): void {
  const note = cutNote(prompts, reader.settings.maxLength);
  if (note) report.note(note);
  const words = text?.words ?? [];
  if (words.length === 0 || existsSync(captionsFolder())) return;
  const some = words.slice(0, SHOWN_WORDS).join(', ');
  report.note(
    `${name} knows ${words.length} things (${some}, ...), and draws other words as well as it can: "llamagen info ${name}" lists them`,
  );
}
