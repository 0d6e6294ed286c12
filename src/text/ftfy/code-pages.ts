/**
 * The code pages as which UTF-8 is commonly misread, in the order in which they are tried.
 *
 * Bytes below 0x80 are ASCII in all of them. Windows' pages are read as browsers do: bytes that
 * have no character are the control characters of their numbers. In those pages byte 0x1a stands for
 * U+FFFD, which is what other programs make of such bytes, so that a loss is no end to reading.
 */

/** A code page: what its bytes from 0x80 on are. */
export interface CodePage {
  readonly name: string;
  /** Whether byte 0x1a is U+FFFD. */
  readonly lossy: boolean;
  /** The byte of each character, ASCII left out. */
  readonly bytes: ReadonlyMap<string, number>;
  /** The characters of bytes 0x80 to 0xff. */
  readonly characters: readonly string[];
}

const page = (name: string, low: string, high: string): CodePage => {
  const characters = [...low, ...high];
  const lossy = name.startsWith('windows');
  const bytes = new Map(characters.map((character, i) => [character, 0x80 + i]));
  if (lossy) bytes.set('\ufffd', 0x1a);
  return { name, lossy, bytes, characters };
};

const between = (first: number, last: number): string =>
  Array.from({ length: last + 1 - first }, (_, i) => String.fromCharCode(first + i)).join('');
const C1 = between(0x80, 0x9f);
const LATIN_1 = between(0xa0, 0xff);

export const CODE_PAGES: readonly CodePage[] = [
  page('latin-1', C1, LATIN_1),
  page('windows-1252', '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ', LATIN_1),
  page(
    'windows-1251',
    'ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u0098™љ›њќћџ',
    '\u00a0ЎўЈ¤Ґ¦§Ё©Є«¬\u00ad®Ї°±Ііґµ¶·ё№є»јЅѕїАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя',
  ),
  page(
    'windows-1250',
    '€\u0081‚\u0083„…†‡\u0088‰Š‹ŚŤŽŹ\u0090‘’“”•–—\u0098™š›śťžź',
    '\u00a0ˇ˘Ł¤Ą¦§¨©Ş«¬\u00ad®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙',
  ),
  page(
    'windows-1253',
    '€\u0081‚ƒ„…†‡\u0088‰\u008a‹\u008c\u008d\u008e\u008f\u0090‘’“”•–—\u0098™\u009a›\u009c\u009d\u009e\u009f',
    '\u00a0΅Ά£¤¥¦§¨©ª«¬\u00ad®―°±²³΄µ¶·ΈΉΊ»Ό½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫάέήίΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώÿ',
  ),
  page(
    'windows-1254',
    '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008d\u008e\u008f\u0090‘’“”•–—˜™š›œ\u009d\u009eŸ',
    '\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞßàáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ',
  ),
  page(
    'windows-1257',
    '€\u0081‚\u0083„…†‡\u0088‰\u008a‹\u008c¨ˇ¸\u0090‘’“”•–—\u0098™\u009a›\u009c¯˛\u009f',
    '\u00a0¡¢£¤¥¦§Ø©Ŗ«¬\u00ad®Æ°±²³´µ¶·ø¹ŗ»¼½¾æĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž˙',
  ),
  page(
    'iso-8859-2',
    C1,
    '\u00a0Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u00adŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙',
  ),
  page(
    'macroman',
    'ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü',
    '†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u00a0ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\uf8ffÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ',
  ),
  page(
    'cp437',
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ',
    'áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0',
  ),
];

/** The bytes of a text, one character each; undefined when the page has not all of its characters. */
export function encode(text: string, { bytes }: CodePage): string | undefined {
  let encoded = '';
  for (const character of text) {
    const byte = bytes.get(character) ?? (isAscii(character) ? character.charCodeAt(0) : undefined);
    // Where 0x1a stands for what was lost, it cannot be itself.
    if (byte === undefined || (character === '\x1a' && bytes.has('\ufffd'))) return undefined;
    encoded += String.fromCharCode(byte);
  }
  return encoded;
}

const isAscii = (character: string): boolean => character < '\x80';
