/**
 * Python's words, digits and blanks, which are not JavaScript's: `\w` and `\d` are of all scripts,
 * and U+001C to U+001F and U+0085 are blanks, U+FEFF is none. Characters are code points.
 *
 * JavaScript's tables are of the Unicode version of the engine, Python 3.11's of 14.0: letters that
 * were added since are letters here.
 */

const WORD = '\\p{L}\\p{N}_';
const DIGIT = '\\p{Nd}';
const BLANK =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

/** What an escape of a pattern is within a character class, and outside of one. */
const ESCAPES: Readonly<Record<string, readonly [within: string | undefined, outside: string]>> = {
  w: [WORD, `[${WORD}]`],
  d: [DIGIT, DIGIT],
  D: [undefined, '\\P{Nd}'],
  s: [BLANK, `[${BLANK}]`],
  S: [undefined, `[^${BLANK}]`],
  b: [undefined, `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`],
};

/**
 * A pattern of Python's `re` for texts, for all of its places. What both languages write alike stays
 * as it is; a dot is none of these.
 */
export function pythonPattern(source: string, flags = 'g'): RegExp {
  let within = false;
  const translated = source.replace(/\\(.)|[[\]]/g, (found, escaped?: string) => {
    if (escaped === undefined) {
      within = found === '[';
      return found;
    }
    return ESCAPES[escaped]?.[within ? 0 : 1] ?? found;
  });
  return new RegExp(translated, `${flags}u`);
}

const ENDS = new RegExp(`^[${BLANK}]+|[${BLANK}]+$`, 'g');

/** `str.strip()`. */
export const strip = (text: string): string => text.replace(ENDS, '');
