/** What a text encoder makes of a prompt, and what a text-conditional decoder is given. */
import { OptionError, WeightsError } from '../errors.ts';
import { show } from '../options.ts';
import type { GptConfig } from './gpt-config.ts';

/** Features of the tokens of one prompt: those that mean something, without padding. */
export interface CaptionFeatures {
  /** f32 [tokens, dim], row by row. */
  readonly values: Float32Array;
  /** From 1 to the condition tokens of the decoder (`clsTokenNum`). */
  readonly tokens: number;
  /** Features of a token: `captionDim` of the decoder. */
  readonly dim: number;
}

/**
 * Checks that a decoder can be given features.
 * @param where What to call them in messages.
 * @throws OptionError for what are no features, or features of another length or size than the decoder
 * takes; WeightsError where they are not finite: an encoder made them, and would make the same again.
 */
export function checkCaption(
  { captionDim, clsTokenNum }: Pick<GptConfig, 'captionDim' | 'clsTokenNum'>,
  caption: unknown,
  where: string,
): asserts caption is CaptionFeatures {
  const { values, tokens, dim } = Object(caption) as Partial<Record<string, unknown>>;
  if (!isFloats(values) || !isCount(tokens) || !isCount(dim)) {
    throw new OptionError(
      `"${where}" expected features of a caption, { values: Float32Array, tokens, dim }, got ${show(caption)}`,
    );
  }
  if (dim !== captionDim) {
    throw new OptionError(
      `"${where}" has ${dim} features a token, and this model takes ${captionDim}: it was trained with another text encoder`,
    );
  }
  if (tokens > clsTokenNum) {
    throw new OptionError(
      `"${where}" has ${tokens} tokens, and this model takes ${clsTokenNum} at most`,
    );
  }
  if (values.length !== tokens * dim) {
    throw new OptionError(
      `"${where}" has ${values.length} values, which are not ${tokens} tokens of ${dim}`,
    );
  }
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new WeightsError(
    `"${where}": the features of token ${Math.floor(at / dim)} are not finite (${values[at]}): the text encoder's weights are damaged, or overflow as halves`,
  );
}

// By its tag, since pages have typed arrays of other frames too.
const isFloats = (value: unknown): value is Float32Array =>
  Object.prototype.toString.call(value) === '[object Float32Array]';

const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 1;
