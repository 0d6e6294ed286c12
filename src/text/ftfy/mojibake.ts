/**
 * UTF-8 that was read as another encoding, read again as what it is.
 *
 * The steps and their order are those of ftfy 6.3.1, `ftfy.fix_encoding` (Robyn Speer, Apache-2.0;
 * see THIRD_PARTY_NOTICES.md).
 */
import { windows1252 } from '../html-entities.ts';
import { isBad } from './badness.ts';
import { CODE_PAGES, type CodePage, encode } from './code-pages.ts';
import { decodeUtf8 } from './utf8.ts';

/** The text with mojibake undone, as often as it was done. */
export function fixEncoding(text: string): string {
  for (let before = text; ; ) {
    const after = fixOnce(before);
    if (after === before) return after;
    before = after;
  }
}

function fixOnce(text: string): string {
  if (/^[\0-\x7f]*$/.test(text) || !isBad(text)) return text;
  for (const page of CODE_PAGES) {
    const bytes = encode(text, page);
    const fixed = bytes === undefined ? undefined : decodeUtf8(repaired(bytes, page));
    if (fixed !== undefined) return fixed;
  }
  const inParts = fixParts(text);
  if (inParts !== text) return inParts;
  return fixC1(text);
}

const C1 = /[\x80-\x9f]/g;

/** C1 controls as the characters that windows-1252 has in their places, as browsers read them. */
export function fixC1(text: string): string {
  return text.replace(C1, (control) => windows1252(control.charCodeAt(0)));
}

// A blank in UTF-8 that was the byte 0xa0 before somebody took that for a blank.
const ALTERED = new RegExp(
  [
    '[\xc2\xc3\xc5\xce\xd0\xd9] ',
    '[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]',
    '[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] ',
    '\xf0 [\x80-\xbf][\x80-\xbf]',
    '\xf0[\x80-\xbf] [\x80-\xbf]',
    '\xf0[\x80-\xbf][\x80-\xbf] ',
  ].join('|'),
  'g',
);
// "à la" where the byte 0xa0 and the blank became one; not the Portuguese "às" and "àquele".
const A_GRAVE = /\xc3 (?! |quele|quela|quilo|s )/g;

// UTF-8 of which bytes were lost: 0x1a, in some places also a question mark.
const LOSSY = new RegExp(
  [
    '[\xc2-\xdf]\x1a',
    '[\xc2\xc3][?]',
    '\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]',
    '\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]',
    '[\xe0-\xef][\x1a?][\x1a\x80-\xbf]',
    '[\xe0-\xef][\x1a\x80-\xbf][\x1a?]',
    '[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]',
    '[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]',
    '[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]',
    '\x1a',
  ].join('|'),
  'g',
);
const REPLACEMENT = '\xef\xbf\xbd';

/** Bytes with what others did to them undone. */
function repaired(bytes: string, { name, lossy }: CodePage): string {
  let after = bytes;
  // In MacRoman it would be a dash with a blank behind it.
  if (name !== 'macroman' && after.search(ALTERED) >= 0) {
    after = after
      .replace(A_GRAVE, '\xc3\xa0 ')
      .replace(ALTERED, (found) => found.replaceAll(' ', '\xa0'));
  }
  return lossy ? after.replace(LOSSY, REPLACEMENT) : after;
}

/** The characters that bytes from `first` to `last` are in the code pages that are like Latin-1. */
function charactersOf(first: number, last: number): string {
  const likeLatin1 = CODE_PAGES.slice(0, 7);
  const all = likeLatin1.flatMap(({ characters }) =>
    characters.slice(first - 0x80, last + 1 - 0x80),
  );
  return [...new Set(all)].join('');
}

const CONTINUATION = charactersOf(0x80, 0xbf);
// What may stand for itself next to mojibake: dashes, quotes, a bullet, an ellipsis.
const STRICT_CONTINUATION = CONTINUATION.replace(/[–—―‘’‚“”„•…]/g, '');
const UTF8 = new RegExp(
  `(?<![${STRICT_CONTINUATION}])(?:${[
    `[${charactersOf(0xc2, 0xdf)}][${CONTINUATION} ]`,
    `[${charactersOf(0xe0, 0xef)}][${CONTINUATION} ]{2}`,
    `[${charactersOf(0xf0, 0xf0)}${charactersOf(0xf3, 0xf3)}][${CONTINUATION} ]{3}`,
  ].join('|')})+`,
  'gu',
);

/** Parts of the text that are mojibake by themselves, where it is none as a whole. */
function fixParts(text: string): string {
  return text.replace(UTF8, (part) =>
    part.length < text.length && isBad(part) ? fixEncoding(part) : part,
  );
}
