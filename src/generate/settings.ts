/** Checks what a caller asked for and fills in the model's defaults. */

import { MOST_ROWS } from '../engine/best-window.ts';
import { fittingWindow, takenBy, WINDOW } from '../engine/request.ts';
import { SAMPLING, type SamplingOptions, samplingOf } from '../engine/sampling-options.ts';
import type { Sequence } from '../engine/token-loop.ts';
import { OptionError } from '../errors.ts';
import { type CaptionFeatures, checkCaption } from '../models/caption.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import type { ModelJson } from '../models/model-json.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  having,
  integer,
  listOf,
  numbers,
  profiler,
} from '../options.ts';
import type { GenerateOptions } from './generate.ts';

interface Asked extends SamplingOptions, Pick<GenerateOptions, 'onPreview' | 'previewEvery'> {
  readonly classes?: readonly number[] | undefined;
  readonly captions?: readonly CaptionFeatures[] | undefined;
  readonly seed?: number | undefined;
  readonly batch?: number | undefined;
  readonly window?: number | 'auto' | undefined;
  readonly prefix?: ArrayLike<number> | undefined;
}

export interface Settings {
  readonly sequences: readonly Sequence[];
  readonly guided: boolean;
  readonly batch: number;
  /** As it can be. */
  readonly window: number | 'auto';
  /** What could not be as it was asked for, and what is instead. */
  readonly note?: string | undefined;
}

const MAX_SEED = Number.MAX_SAFE_INTEGER;
export const MAX_BATCH = 1024;
const DEFAULT_BATCH = 16;

const CHECKS: Checks<GenerateOptions> = {
  ...SAMPLING,
  classes: numbers,
  captions: listOf('features of captions', having('features of a caption')),
  seed: integer(0),
  batch: integer(1, MAX_BATCH),
  window: WINDOW,
  signal: abortSignal,
  onProgress: callback,
  prefix: numbers,
  onPreview: callback,
  previewEvery: integer(1),
  profiler,
};

/** @throws OptionError that names the setting, its value and its range, or an option that there is not. */
export function generateSettings(config: ModelJson, asked: Asked): Settings {
  checkOptions('generate', asked, CHECKS);
  const conditions = conditionsOf(config.gpt, asked);
  const { seed = 0, batch = DEFAULT_BATCH, window = 'auto', onPreview, previewEvery } = asked;
  if ((onPreview === undefined) !== (previewEvery === undefined)) {
    throw new OptionError('"onPreview" and "previewEvery" need each other');
  }
  checkValue('seed', seed, integer(0, MAX_SEED - (conditions.length - 1)));
  const tokens = Array.from(asked.prefix ?? []);
  const { blockSize, vocabSize } = config.gpt;
  if (tokens.length > blockSize) {
    throw new OptionError(
      `"prefix" has ${tokens.length} tokens, and the grid of this model has ${blockSize}`,
    );
  }
  for (const token of tokens) checkValue('prefix: token', token, integer(0, vocabSize - 1));
  const common = {
    ...samplingOf(config, asked),
    given: tokens.length,
    ...(tokens.length > 0 && { tokens }),
  };
  const sequences = conditions.map((condition, i) => ({ ...common, ...condition, seed: seed + i }));
  const guided = common.cfgScale > 1;
  const fitting = fittingWindow(window, blockSize, guided);
  const images = Math.min(batch, conditions.length);
  const note = window === fitting ? rowsNote(fitting, images, guided) : cutNote(window, fitting);
  return { sequences, guided, batch, window: fitting, note };
}

/** A class or a caption for each image, whichever the model takes. */
function conditionsOf(
  config: GptConfig,
  { classes, captions }: Pick<Asked, 'classes' | 'captions'>,
): Pick<Sequence, 'label' | 'caption'>[] {
  if (config.modelType === 't2i') {
    if (classes !== undefined) {
      throw new OptionError(`${takenBy(config)}: give "captions", not "classes"`);
    }
    if (captions === undefined || captions.length === 0) {
      throw new OptionError('"captions" expected features of at least one caption, got none');
    }
    for (const [i, caption] of captions.entries()) checkCaption(config, caption, `captions[${i}]`);
    return captions.map((caption) => ({ caption }));
  }
  if (captions !== undefined) {
    throw new OptionError(`${takenBy(config)}: give "classes", not "captions"`);
  }
  checkValue('classes', classes, numbers);
  const labels = Array.from(classes ?? []);
  if (labels.length === 0) {
    throw new OptionError('"classes" expected at least one class, got none');
  }
  for (const label of labels) checkValue('class', label, integer(0, config.numClasses - 1));
  return labels.map((label) => ({ label }));
}

const cutNote = (asked: number | 'auto', window: number | 'auto'): string =>
  `a window of ${asked} is cut to ${window}: no more tokens are in the grid, or rows in a pass (${MOST_ROWS}, two a position with guidance)`;

/** Where windows of images side by side have to be smaller. */
function rowsNote(window: number | 'auto', images: number, guided: boolean): string | undefined {
  const rows = images * (guided ? 2 : 1) * (window === 'auto' ? 1 : window);
  if (window === 'auto' || window === 1 || rows <= MOST_ROWS) return undefined;
  return `${images} images side by side with a window of ${window} want ${rows} rows a pass, and there are ${MOST_ROWS}: their windows are smaller`;
}
