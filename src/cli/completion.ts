/** `--from` and `--keep-rows`: the upper rows of a picture, as tokens that images begin with. */
import { OptionError } from '../errors.ts';
import { encodePictures } from '../generate/encode.ts';
import type { Model, ModelJson } from '../index.ts';
import { readPng } from '../node/png-pixels.ts';
import { assertKeepRows, fitted } from '../picture/completion.ts';

export interface CompletionOptions {
  readonly from?: string | undefined;
  readonly keepRows?: number | undefined;
}

export interface Completion {
  /** What to say of it. */
  readonly line: string;
  /** The tokens, by a model that was loaded with its encoder. */
  prefix(model: Model, signal: AbortSignal): Promise<Uint32Array>;
}

/**
 * Reads the picture; its middle is taken where it has another shape than the model's.
 * @returns undefined where none is asked for.
 * @throws OptionError when one option is there without the other, or nothing would be left to draw.
 */
export function completionOf(
  { from, keepRows }: CompletionOptions,
  config: ModelJson,
): Completion | undefined {
  if (from === undefined && keepRows === undefined) return undefined;
  if (from === undefined) throw new OptionError('--keep-rows needs a picture: give --from too');
  if (keepRows === undefined) {
    throw new OptionError('--from needs the number of rows to keep: give --keep-rows too');
  }
  assertKeepRows('--keep-rows', keepRows, config);
  const { gridSize } = config.gpt;
  const picture = fitted(readPng(from), config);
  return {
    line: `from     ${from}, ${keepRows} of ${gridSize} rows`,
    async prefix(model, signal) {
      const [grid] = await encodePictures(model, [picture], { signal });
      if (!grid) throw new Error('a picture without tokens');
      return grid.tokens.subarray(0, keepRows * gridSize);
    },
  };
}
