/**
 * Whether a text looks like mojibake: characters next to each other that hardly anyone writes, but
 * that come about when UTF-8 is read as another encoding.
 *
 * Classes and patterns are those of ftfy 6.3.1, `ftfy.badness` (Robyn Speer, Apache-2.0; see
 * THIRD_PARTY_NOTICES.md).
 */
import { pythonPattern } from '../python-text.ts';

// Parts of character classes. Letters that make faces in ASCII art are a class of their own.
const COMMON = '\u00a0\u00ad·´–—―…’';
const C1 = '\u0080-\u009f';
const BAD = '¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\ufffdªº';
const LAW = '¶§';
const CURRENCY = '¢£¥₧€';
const START = '¡«¿©΄΅‘‚“„•‹\uf8ff';
const END = '®»˝”›™';
const NUMERIC = '²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№';
const FACES = 'Ò-ÖÙ-Üò-öø-üŐŌŪŲ°';
const UPPER = 'À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ';
const LOWER = 'ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ';
const UPPER_COMMON = 'ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я';
const LOWER_COMMON = 'α-ωάέήίΰа-џ';
const BOX = '│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓';

const anyOf = (...parts: readonly string[]): string => `[${parts.join('')}]`;
const accented = LOWER + UPPER;
const ARABIC = `[ØÙ]${anyOf(COMMON, CURRENCY, BAD, NUMERIC, START, 'ŸŠ®°µ»')}`;
const between = (letters: string, extra: string): string =>
  `[${letters}]${anyOf(C1, BAD, START, END, CURRENCY, '°', extra)}[${letters}]`;

const UNLIKELY = [
  anyOf(C1),
  anyOf(BAD, accented, BOX, START, END, CURRENCY, NUMERIC, LAW) + anyOf(BAD),
  `[a-zA-Z]${anyOf(LOWER_COMMON, UPPER_COMMON)}${anyOf(BAD)}`,
  anyOf(BAD) + anyOf(accented, BOX, START, END, CURRENCY, NUMERIC, LAW),
  anyOf(LOWER, LOWER_COMMON, BOX, END, CURRENCY, NUMERIC) + anyOf(UPPER),
  anyOf(BOX, END, CURRENCY, NUMERIC) + anyOf(LOWER),
  anyOf(LOWER, BOX, END) + anyOf(CURRENCY),
  `\\s${anyOf(UPPER)}${anyOf(CURRENCY)}`,
  anyOf(UPPER, BOX) + anyOf(NUMERIC, LAW),
  anyOf(accented, BOX, CURRENCY, END) + anyOf(START) + anyOf(NUMERIC),
  anyOf(accented, CURRENCY, NUMERIC, BOX, LAW) + anyOf(END) + anyOf(START),
  anyOf(CURRENCY, NUMERIC, BOX) + anyOf(START),
  `[a-z]${anyOf(UPPER)}${anyOf(START, CURRENCY)}`,
  anyOf(BOX) + anyOf(FACES),
  anyOf(accented, CURRENCY, NUMERIC, START, END, LAW) + anyOf(BOX),
  anyOf(BOX) + anyOf(END),
  `${anyOf(accented)}${anyOf(START, END)}\\w`,
  '[Œœ][^A-Za-z]',
  `${anyOf(UPPER)}°`,
  // windows-1252
  `[ÂÃÎÐ]${anyOf('€œŠš¢£Ÿž\u00a0\u00ad®©°·»', START, END, '–—´')}`,
  '×[²³]',
  ARABIC + ARABIC,
  'à[²µ¹¼½¾]',
  // MacRoman
  '√[±∂†≠®™´≤≥¥µø]',
  '≈[°¢]',
  '‚Ä[ìîïòôúùû†°¢π]',
  '‚[âó][àä°ê]',
  // windows-1251
  'вЂ',
  between('ВГРС', 'µ'),
  'ГўВЂВ[^\\n][A-Za-z ]',
  // windows-1252 of à and á
  '[a-z]\\s?[ÃÂ] ',
  '^[ÃÂ] ',
  `${anyOf('a-z.,?!', END)}Â${anyOf(' ', START, END)}`,
  // windows-1253
  'β€[™\u00a0Ά\u00ad®°]',
  between('ΒΓΞΟ', ''),
];

const PATTERN = pythonPattern(UNLIKELY.join('|'), '');

export const isBad = (text: string): boolean => PATTERN.test(text);
