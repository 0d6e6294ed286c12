/** Checks what a caller asked for and fills in the model's defaults. */
import { OptionError } from '../errors.ts';
import type { ModelJson } from '../models/model-json.ts';
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

/** @throws OptionError that names the setting, its value and its range. */
export function generateSettings({ gpt, sampling }: ModelJson, asked: Asked): Settings {
  const { classes, seed = 0, batch = DEFAULT_BATCH } = asked;
  const given = Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined),
  ) as Asked;
  const how = { greedy: false, ...sampling, ...given };
  if (classes.length === 0)
    throw new OptionError('"classes" expected at least one class, got none');
  for (const label of classes) integer('class', label, 0, gpt.numClasses - 1);
  integer('seed', seed, 0, MAX_SEED - (classes.length - 1));
  integer('batch', batch, 1, MAX_BATCH);
  integer('topK', how.topK, 0, MAX_INT);
  integer('cfgInterval', how.cfgInterval, -1, MAX_INT);
  number('cfgScale', how.cfgScale, 0, MAX_SCALE);
  number('temperature', how.temperature, 0, MAX_TEMPERATURE);
  number('topP', how.topP, 0, 1);
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = how;
  const common = { cfgScale, cfgInterval, temperature, topK, topP, greedy, forced: false };
  const sequences = classes.map((label, i) => ({ ...common, label, seed: seed + i }));
  return { sequences, guided: cfgScale > 1, batch };
}

function integer(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new OptionError(`"${name}" expected an integer from ${least} to ${most}, got ${value}`);
}

function number(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new OptionError(`"${name}" expected a number from ${least} to ${most}, got ${value}`);
}
