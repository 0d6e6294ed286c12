/** Character references of HTML, as Python's `html` resolves them. */
import { decodeHTML, decodeHTMLStrict } from 'entities/decode';

/** The character of a name without `&` and `;`; undefined when there is none of this name. */
export function namedCharacter(name: string): string | undefined {
  const reference = `&${name};`;
  const decoded = decodeHTMLStrict(reference);
  return decoded === reference ? undefined : decoded;
}

/** Numbers that stand for other characters: what HTML takes as bytes of windows-1252. */
const WINDOWS_1252 =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** The character of windows-1252 with this number; that of Latin-1 where it has none. */
export const windows1252 = (code: number): string =>
  WINDOWS_1252[code - 0x80] ?? String.fromCharCode(code);

/** Control characters that may not be written as numbers, and numbers that are no characters. */
const isNobody = (code: number): boolean =>
  (code >= 1 && code <= 8) ||
  code === 0xb ||
  (code >= 0xe && code <= 0x1f) ||
  (code >= 0x7f && code <= 0x9f) ||
  (code >= 0xfdd0 && code <= 0xfdef) ||
  (code & 0xfffe) === 0xfffe;

const REFERENCE = /&(?:#([0-9]+|[xX][0-9a-fA-F]+);?|([^\t\n\f <&#;]{1,32};?))/gu;

/** `html.unescape`: names without a semicolon too where HTML allows it, the longest that there is. */
export function unescapeHtml(text: string): string {
  return text.replace(REFERENCE, (reference, number?: string, name?: string) =>
    number === undefined ? named(name ?? '', reference) : numbered(number),
  );
}

function named(name: string, reference: string): string {
  const whole = name.endsWith(';') ? namedCharacter(name.slice(0, -1)) : undefined;
  return whole ?? decodeHTML(reference);
}

function numbered(number: string): string {
  const code = Number(/^x/i.test(number) ? `0x${number.slice(1)}` : number);
  if (code === 0 || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return '\ufffd';
  if (code >= 0x80 && code <= 0x9f) return windows1252(code);
  return isNobody(code) ? '' : String.fromCodePoint(code);
}
