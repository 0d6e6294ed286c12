/**
 * Where the tags and comments of HTML end, however broken it is: the rules of Python 3.11's
 * `html.parser`, whose readers of captions the official models were trained with.
 *
 * Each function takes a text and the place of a "<" in it.
 */
import { pythonPattern, strip } from './python-text.ts';

/** Where something ends; undefined while the text has no end of it. */
export type End = number | undefined;

const TAG_NAME = pythonPattern('([a-zA-Z][^\\t\\n\\r\\f />\\x00]*)(?:\\s|/(?!>))*', 'y');
const ATTRIBUTE = pythonPattern(
  `((?<=['"\\s/])[^\\s/>][^\\s/=>]*)(\\s*=+\\s*('[^']*'|"[^"]*"|(?!['"])[^>\\s]*))?(?:\\s|/(?!>))*`,
  'y',
);
const START_TAG = pythonPattern(
  '<[a-zA-Z][^\\t\\n\\r\\f />\\x00]*' +
    `(?:[\\s/]*(?:(?<=['"\\s/])[^\\s/>][^\\s/=>]*` +
    `(?:\\s*=+\\s*(?:'[^']*'|"[^"]*"|(?!['"])[^>\\s]*)\\s*)?(?:\\s|/(?!>))*)*)?\\s*`,
  'y',
);
const END_TAG = pythonPattern('</\\s*([a-zA-Z][-.a-zA-Z0-9:_]*)\\s*>', 'y');
const COMMENT_END = pythonPattern('--\\s*>');
const SECTION_NAME = pythonPattern('([a-zA-Z][-_.a-zA-Z0-9]*)\\s*', 'y');
const SECTION_END = pythonPattern('\\]\\s*\\]\\s*>');
const WORD_SECTION_END = pythonPattern('\\]\\s*>');

/** The match of a sticky pattern at a place, or of another one from there on. */
export function matchFrom(pattern: RegExp, text: string, place: number): RegExpExecArray | null {
  pattern.lastIndex = place;
  return pattern.exec(text);
}

export interface StartTag {
  readonly end: number;
  /** In small letters; undefined when what looks like a tag is text. */
  readonly name: string | undefined;
  /** Whether it ends with "/>". */
  readonly closed: boolean;
}

export function startTag(text: string, place: number): StartTag | undefined {
  const end = startTagEnd(text, place);
  if (end === undefined) return undefined;
  const tag = matchFrom(TAG_NAME, text, place + 1);
  let at = tag ? place + 1 + tag[0].length : end;
  while (at < end) {
    const attribute = matchFrom(ATTRIBUTE, text, at);
    if (!attribute) break;
    at += attribute[0].length;
  }
  const rest = strip(text.slice(at, end));
  const isTag = rest === '>' || rest === '/>';
  return { end, name: isTag ? tag?.[1]?.toLowerCase() : undefined, closed: rest === '/>' };
}

function startTagEnd(text: string, place: number): End {
  const end = place + (matchFrom(START_TAG, text, place)?.[0].length ?? 0);
  const next = text[end];
  if (next === '>') return end + 1;
  if (next === '/') return text[end + 1] === '>' ? end + 2 : undefined;
  if (next === undefined || /[a-zA-Z=]/.test(next)) return undefined;
  return end > place ? end : place + 1;
}

export interface EndTag {
  readonly end: number;
  /** In small letters; undefined when it is a comment of a kind. */
  readonly name: string | undefined;
  /** Whether it is written as it should be. */
  readonly proper: boolean;
}

export function endTag(text: string, place: number): EndTag | undefined {
  const firstEnd = text.indexOf('>', place + 1);
  if (firstEnd < 0) return undefined;
  const proper = matchFrom(END_TAG, text, place);
  if (proper) return { end: firstEnd + 1, name: proper[1]?.toLowerCase(), proper: true };
  const tag = matchFrom(TAG_NAME, text, place + 2);
  if (!tag) {
    const end = text.startsWith('</>', place) ? place + 3 : text.indexOf('>', place + 2) + 1;
    return { end, name: undefined, proper: false };
  }
  const end = text.indexOf('>', place + 2 + tag[0].length) + 1;
  return { end, name: tag[1]?.toLowerCase(), proper: false };
}

/** What is between "<!" or "<?" and its end. */
export interface Declaration {
  readonly end: number;
  /** The text of a CDATA section, which is shown; undefined of what is not. */
  readonly shown: string | undefined;
}

export function declaration(text: string, place: number): Declaration | undefined {
  if (text.startsWith('<?', place)) return upTo(text, place + 2);
  if (text.startsWith('<!--', place)) {
    const close = matchFrom(COMMENT_END, text, place + 4);
    return close ? { end: close.index + close[0].length, shown: undefined } : undefined;
  }
  if (text.startsWith('<![', place)) return section(text, place);
  return upTo(
    text,
    text.slice(place, place + 9).toLowerCase() === '<!doctype' ? place + 9 : place + 2,
  );
}

function section(text: string, place: number): Declaration | undefined {
  const start = place + 3;
  if (start === text.length) return undefined;
  const found = matchFrom(SECTION_NAME, text, start);
  // Python's parser fails where there is no name, or one that it does not know.
  if (!found) return upTo(text, place + 2);
  if (start + found[0].length === text.length) return undefined;
  const name = found[1]?.toLowerCase() ?? '';
  const standard = ['temp', 'cdata', 'ignore', 'include', 'rcdata'].includes(name);
  if (!standard && !['if', 'else', 'endif'].includes(name)) return upTo(text, place + 2);
  const close = matchFrom(standard ? SECTION_END : WORD_SECTION_END, text, start);
  if (!close) return undefined;
  const content = text.slice(start, close.index);
  const shown = /^cdata\[/i.test(content) ? content.slice('cdata['.length) : undefined;
  return { end: close.index + close[0].length, shown };
}

function upTo(text: string, from: number): Declaration | undefined {
  const close = text.indexOf('>', from);
  return close < 0 ? undefined : { end: close + 1, shown: undefined };
}
