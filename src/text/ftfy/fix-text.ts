/**
 * Texts that programs have damaged: mojibake, entities, quotes, ligatures, widths, control
 * characters.
 *
 * The steps and their order are those of ftfy 6.3.1, `ftfy.fix_text` with its default settings
 * (Robyn Speer, Apache-2.0; see THIRD_PARTY_NOTICES.md).
 */
import { namedCharacter, unescapeHtml } from '../html-entities.ts';
import { pythonPattern } from '../python-text.ts';
import { fixC1, fixEncoding } from './mojibake.ts';

/** Fixes a text line by line, since each may have been damaged in a way of its own. */
export function fixText(text: string): string {
  // From the first line with a "<" on, the text is HTML, whose entities stay.
  let isHtml = false;
  return text.replace(/[^\n]*\n|[^\n]+$/g, (line) => {
    isHtml ||= line.includes('<');
    return fixLine(line, isHtml);
  });
}

function fixLine(line: string, isHtml: boolean): string {
  for (let before = line; ; ) {
    const unescaped = isHtml ? before : unescapeEntities(before);
    const after = fixCharacters(fixEncoding(unescaped)).normalize('NFC');
    if (after === before) return after;
    before = after;
  }
}

const fixCharacters = (text: string): string =>
  fixC1(text)
    .replace(LIGATURE, (ligature) => LIGATURES[ligature] ?? ligature)
    .replace(WIDTH, (character) => (character === '\u3000' ? ' ' : character.normalize('NFKC')))
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/\r\n|[\r\u2028\u2029\x85]/g, '\n')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(TERMINAL, '')
    .replace(CONTROL, '');

/** Entities that end with a semicolon, also those of letters whose names were put in capitals. */
function unescapeEntities(text: string): string {
  return text.replace(/&#?[0-9A-Za-z]{1,24};/g, (entity) => {
    const name = entity.slice(1, -1);
    if (!name.startsWith('#')) return namedCharacter(name) ?? capital(name) ?? entity;
    const character = unescapeHtml(entity);
    return character.includes(';') ? entity : character;
  });
}

/** The capital letter of a name all in capitals, unless HTML knows its beginning. */
function capital(name: string): string | undefined {
  if (name !== name.toUpperCase() || unescapeHtml(`&${name};`) !== `&${name};`) return undefined;
  return namedCharacter(name.toLowerCase())?.toUpperCase();
}

const LIGATURES: Readonly<Record<string, string>> = {
  Ĳ: 'IJ',
  ĳ: 'ij',
  ŉ: 'ʼn',
  Ǳ: 'DZ',
  ǲ: 'Dz',
  ǳ: 'dz',
  Ǆ: 'DŽ',
  ǅ: 'Dž',
  ǆ: 'dž',
  Ǉ: 'LJ',
  ǈ: 'Lj',
  ǉ: 'lj',
  Ǌ: 'NJ',
  ǋ: 'Nj',
  ǌ: 'nj',
  ﬀ: 'ff',
  ﬁ: 'fi',
  ﬂ: 'fl',
  ﬃ: 'ffi',
  ﬄ: 'ffl',
  ﬅ: 'ſt',
  ﬆ: 'st',
};
const LIGATURE = new RegExp(`[${Object.keys(LIGATURES).join('')}]`, 'g');
const WIDTH = /[\u3000\uff01-\uffef]/g;
const TERMINAL = pythonPattern('\\x1b\\[[\\d;]*[a-zA-Z]');
const CONTROL = /[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g;
