/** How tokens are drawn: what a caller says of it, and what the model says where he does not. */
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import type { ModelJson } from '../models/model-json.ts';
import { type Checks, flag, integer, number } from '../options.ts';

const MAX_SCALE = 1000;
const MAX_TEMPERATURE = 1000;
const MAX_INT = 2 ** 31 - 1;

/** How tokens are drawn; what is left out comes from the model. */
export interface SamplingOptions {
  /** Strength of classifier-free guidance; 1 or less switches it off and halves the work. */
  readonly cfgScale?: number | undefined;
  /** Guidance stops after token cfgInterval + 1; -1 never stops it. */
  readonly cfgInterval?: number | undefined;
  readonly temperature?: number | undefined;
  /** Keep the k best logits and all that tie with the last of them; 0 keeps all. */
  readonly topK?: number | undefined;
  /** Keep the best tokens until their probabilities pass p; 1 keeps all. */
  readonly topP?: number | undefined;
  /** Always take the best token. Seeds have no effect then. */
  readonly greedy?: boolean | undefined;
}

/** How a token is drawn. */
export const SAMPLING: Checks<SamplingOptions> = {
  topK: integer(0, MAX_INT),
  cfgInterval: integer(-1, MAX_INT),
  cfgScale: number(0, MAX_SCALE),
  temperature: number(0, MAX_TEMPERATURE),
  topP: number(0, 1),
  greedy: flag,
};

/** The settings of a request: the model's, but for what the caller gives. */
export function samplingOf(
  { sampling }: Pick<ModelJson, 'sampling'>,
  asked: SamplingOptions,
): Omit<Sampling, 'seed' | 'given'> {
  return {
    cfgScale: asked.cfgScale ?? sampling.cfgScale,
    cfgInterval: asked.cfgInterval ?? sampling.cfgInterval,
    temperature: asked.temperature ?? sampling.temperature,
    topK: asked.topK ?? sampling.topK,
    topP: asked.topP ?? sampling.topP,
    greedy: asked.greedy ?? false,
  };
}
