/** Checks what a caller asked for and fills in the model's defaults. */

import { SAMPLING, type SamplingOptions, samplingOf } from '../engine/sampling-options.ts';
import type { Sequence } from '../engine/token-loop.ts';
import { OptionError } from '../errors.ts';
import type { ModelJson } from '../models/model-json.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  integer,
  numbers,
  profiler,
} from '../options.ts';
import type { GenerateOptions } from './generate.ts';

interface Asked extends SamplingOptions, Pick<GenerateOptions, 'onPreview' | 'previewEvery'> {
  readonly classes: readonly number[];
  readonly seed?: number | undefined;
  readonly batch?: number | undefined;
  readonly prefix?: ArrayLike<number> | undefined;
}

export interface Settings {
  readonly sequences: readonly Sequence[];
  readonly guided: boolean;
  readonly batch: number;
}

const MAX_SEED = Number.MAX_SAFE_INTEGER;
export const MAX_BATCH = 1024;
const DEFAULT_BATCH = 16;

const CHECKS: Checks<GenerateOptions> = {
  ...SAMPLING,
  classes: numbers,
  seed: integer(0),
  batch: integer(1, MAX_BATCH),
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
  checkValue('classes', asked.classes, numbers);
  const { seed = 0, batch = DEFAULT_BATCH, onPreview, previewEvery } = asked;
  if ((onPreview === undefined) !== (previewEvery === undefined)) {
    throw new OptionError('"onPreview" and "previewEvery" need each other');
  }
  const classes = Array.from(asked.classes);
  if (classes.length === 0) {
    throw new OptionError('"classes" expected at least one class, got none');
  }
  for (const label of classes) checkValue('class', label, integer(0, config.gpt.numClasses - 1));
  checkValue('seed', seed, integer(0, MAX_SEED - (classes.length - 1)));
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
  const sequences = classes.map((label, i) => ({ ...common, label, seed: seed + i }));
  return { sequences, guided: common.cfgScale > 1, batch };
}
