/**
 * What SentencePiece does to a text before it cuts it: replacements of the vocabulary's table,
 * blanks at the ends taken out, several made one, each written as a visible character, and one
 * put before the text, so that a word has one form wherever it is.
 *
 * Source: sentencepiece `normalizer::Normalizer::Normalize`, with the settings of T5.
 */
import type { Charsmap } from './charsmap.ts';

/** How SentencePiece writes a blank. */
export const BLANK = '\u2581';

/** The text as the model's pieces spell it; empty where nothing is left. */
export function normalize(text: string, charsmap: Charsmap | undefined): string {
  const parts: string[] = [];
  let afterBlank = true;
  for (const part of replaced(text, charsmap)) {
    const kept: string = afterBlank ? part.replace(/^ +/, '') : part;
    if (kept === '') continue;
    afterBlank = kept.endsWith(' ');
    parts.push(kept.replaceAll(' ', BLANK));
  }
  const joined = parts.join('');
  let end = joined.length;
  while (joined[end - 1] === BLANK) end--;
  return end === 0 ? '' : BLANK + joined.slice(0, end);
}

/** The text from left to right, the longest strings that the table knows replaced. */
function* replaced(text: string, charsmap: Charsmap | undefined): Generator<string> {
  const bytes = new TextEncoder().encode(text);
  let place = 0;
  let replacedUntil = 0;
  for (const character of text) {
    if (place >= replacedUntil) {
      const replacement = charsmap?.longestAt(bytes, place);
      if (replacement) replacedUntil = place + replacement.length;
      yield replacement?.by ?? character;
    }
    place += bytesOf(character);
  }
}

/** The length of a character in UTF-8. */
function bytesOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}
