/** Text to the ids of T5's tokens, by its `tokenizer.json`. */
import { OptionError } from '../errors.ts';
import { BLANK, normalize } from './normalize.ts';
import { readTokenizerJson } from './tokenizer-json.ts';
import { Unigram } from './unigram.ts';

/** The tokens of a text. */
export interface EncodedText {
  /** Ids, at most as many as asked for, with the end token as the last. */
  readonly ids: number[];
  /** The end of the text for which there was no room; undefined when all of it is in the ids. */
  readonly cut: string | undefined;
}

export interface TextTokenizer {
  /** Ids from 0 up to this: rows of the encoder's table of embeddings that it may ask for. */
  readonly vocabSize: number;
  /** The id that ends every text. */
  readonly end: number;
  /**
   * @param options.maxLength the most ids, the end token among them (default 120, what the
   * official sampler gives the decoder)
   * @throws OptionError when `maxLength` leaves no room for the end token
   */
  encode(text: string, options?: { readonly maxLength?: number | undefined }): EncodedText;
}

/** The condition tokens of the official text models. */
const MAX_LENGTH = 120;

/**
 * A tokenizer of T5's kind: SentencePiece's unigram model with its table of replacements. Special
 * tokens are never made of text: `</s>` in a prompt is five characters.
 *
 * @param json the content of a `tokenizer.json`, as text or parsed
 * @param options.where the file's name, for errors
 * @throws WeightsError when the file is damaged, of another kind, or has no end token
 */
export function loadTokenizer(
  json: unknown,
  { where = 'tokenizer.json' }: { readonly where?: string } = {},
): TextTokenizer {
  const { vocabulary, charsmap, end } = readTokenizerJson(json, where);
  const model = new Unigram(vocabulary);
  return {
    vocabSize: vocabulary.pieces.length,
    end,
    encode(text, { maxLength = MAX_LENGTH } = {}) {
      if (!Number.isInteger(maxLength) || maxLength < 1) {
        throw new OptionError(`"maxLength" expected an integer from 1 on, got ${maxLength}`);
      }
      const normalized = normalize(text, charsmap);
      const pieces = model.cut(normalized);
      const first = pieces[maxLength - 1];
      const ids = pieces.slice(0, maxLength - 1).map(({ id }) => id);
      return {
        ids: [...ids, end],
        cut: first && normalized.slice(first.start).replaceAll(BLANK, ' ').trim(),
      };
    },
  };
}
