/** Checks what a caller asked for and fills in the model's defaults. */
import { OptionError } from '../errors.ts';
import type { ModelJson } from '../models/model-json.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  flag,
  integer,
  number,
  numbers,
  profiler,
} from '../options.ts';
import type { GenerateOptions } from './generate.ts';
import type { Sequence } from './token-loop.ts';

/** How tokens are drawn; what is left out comes from the model. */
export interface SamplingOptions {
  /** Strength of classifier-free guidance; 1 or less switches it off and halves the work. */
  readonly cfgScale?: number;
  /** Guidance stops after token cfgInterval + 1; -1 never stops it. */
  readonly cfgInterval?: number;
  readonly temperature?: number;
  /** Keep the k best logits and all that tie with the last of them; 0 keeps all. */
  readonly topK?: number;
  /** Keep the best tokens until their probabilities pass p; 1 keeps all. */
  readonly topP?: number;
  /** Always take the best token. Seeds have no effect then. */
  readonly greedy?: boolean;
}

interface Asked extends SamplingOptions {
  readonly classes: readonly number[];
  readonly seed?: number;
  readonly batch?: number;
}

export interface Settings {
  readonly sequences: readonly Sequence[];
  readonly guided: boolean;
  readonly batch: number;
}

const MAX_SEED = Number.MAX_SAFE_INTEGER;
const MAX_SCALE = 1000;
const MAX_TEMPERATURE = 1000;
const MAX_INT = 2 ** 31 - 1;
const MAX_BATCH = 1024;
const DEFAULT_BATCH = 16;

/** How a token is drawn. */
export const SAMPLING: Checks<SamplingOptions> = {
  topK: integer(0, MAX_INT),
  cfgInterval: integer(-1, MAX_INT),
  cfgScale: number(0, MAX_SCALE),
  temperature: number(0, MAX_TEMPERATURE),
  topP: number(0, 1),
  greedy: flag,
};

const CHECKS: Checks<GenerateOptions> = {
  ...SAMPLING,
  classes: numbers,
  seed: integer(0),
  batch: integer(1, MAX_BATCH),
  signal: abortSignal,
  onProgress: callback,
  profiler,
};

/** @throws OptionError that names the setting, its value and its range, or an option that there is not. */
export function generateSettings({ gpt, sampling }: ModelJson, asked: Asked): Settings {
  checkOptions('generate', asked, CHECKS);
  checkValue('classes', asked.classes, numbers);
  const { seed = 0, batch = DEFAULT_BATCH } = asked;
  const classes = Array.from(asked.classes);
  if (classes.length === 0) {
    throw new OptionError('"classes" expected at least one class, got none');
  }
  for (const label of classes) checkValue('class', label, integer(0, gpt.numClasses - 1));
  checkValue('seed', seed, integer(0, MAX_SEED - (classes.length - 1)));
  const given = Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined),
  ) as Asked;
  const how = { greedy: false, ...sampling, ...given };
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = how;
  const common = { cfgScale, cfgInterval, temperature, topK, topP, greedy, given: 0 };
  const sequences = classes.map((label, i) => ({ ...common, label, seed: seed + i }));
  return { sequences, guided: cfgScale > 1, batch };
}
