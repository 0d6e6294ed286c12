/** From the text of a user to ids: checked, cleaned, cut into tokens. No device is needed for it. */
import { OptionError } from '../errors.ts';
import type { TextSettings } from '../models/model-json.ts';
import { checkValue, listOf, show } from '../options.ts';

/** What cuts a text into ids: `loadTokenizer`. */
export interface PromptTokenizer {
  /** Ids that end with the end token, at most `maxLength` of them, and the text behind them if there is some. */
  encode(
    text: string,
    options: { readonly maxLength: number },
  ): { readonly ids: readonly number[]; readonly cut: string | undefined };
}

/** A prompt that was read. */
export interface ReadPrompt {
  /** As it was given. */
  readonly prompt: string;
  /** As the text encoder sees it. */
  readonly text: string;
  readonly ids: readonly number[];
  /** The end of the text, which the model has no room for. */
  readonly cut?: string | undefined;
}

/**
 * Longest prompt, in UTF-16 units: a model reads a few hundred of them, and some rules of the cleaning take
 * a time that grows with the square.
 */
const MAX_CHARS = 10_000;
/** Control characters apart from blanks that texts have, and halves of characters. */
const NO_TEXT = /[^\P{Cc}\t\n\r\f\v\u0085]|\p{Surrogate}/u;
/** Letters, digits, and signs that mean something. */
const WORD = /[\p{L}\p{N}\p{S}]/u;

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? undefined : 'a text';

/**
 * Reads prompts as a model likes them.
 * @param clean Cleans a text as the official sampler does.
 * @throws OptionError for a prompt that is none, is empty, has control characters, or of which cleaning
 * leaves nothing.
 */
export function readPrompts(
  prompts: readonly string[],
  tokenizer: PromptTokenizer,
  { maxLength, clean }: TextSettings,
  cleaned: (text: string) => string,
): ReadPrompt[] {
  checkValue('prompts', prompts, listOf('texts', text));
  if (prompts.length === 0) throw new OptionError('"prompts" expected at least one text, got none');
  return prompts.map((prompt, i) => {
    const where = prompts.length === 1 ? 'the prompt' : `prompt ${i + 1}`;
    checkPrompt(prompt, where);
    const seen = clean ? cleaned(prompt) : prompt.trim();
    if (!WORD.test(seen)) {
      throw new OptionError(
        `${where} ${show(prompt)} has no words once it is cleaned (links, ids and the like are taken out): describe a picture`,
      );
    }
    const { ids, cut } = tokenizer.encode(seen, { maxLength });
    return { prompt, text: seen, ids, ...(cut !== undefined && { cut }) };
  });
}

function checkPrompt(prompt: string, where: string): void {
  if (prompt.trim() === '') {
    throw new OptionError(`${where} is empty: describe a picture in words`);
  }
  if (prompt.length > MAX_CHARS) {
    throw new OptionError(
      `${where} has ${prompt.length} characters, at most ${MAX_CHARS} are read: a file in place of a text?`,
    );
  }
  const wrong = NO_TEXT.exec(prompt);
  if (!wrong) return;
  const code = wrong[0].codePointAt(0) ?? 0;
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  throw new OptionError(
    `${where} has ${code < 0xd800 ? 'the control character' : 'half a character,'} ${name} at ${wrong.index}: give text alone`,
  );
}

/** What was cut, for the user; undefined where nothing was. */
export function cutNote(prompts: readonly ReadPrompt[], maxLength: number): string | undefined {
  const cut = prompts.filter((prompt) => prompt.cut !== undefined);
  const [first] = cut;
  if (!first) return undefined;
  const more = cut.length > 1 ? `, and the ends of ${cut.length - 1} more prompts` : '';
  return `the model reads ${maxLength} tokens: cut ${show(first.cut)}${more}`;
}
