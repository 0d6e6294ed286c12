/**
 * Captions as the official text models saw them in training: cleaned by the rules of DeepFloyd IF,
 * twice.
 *
 * Source: LlamaGen `language/t5.py`, `T5Embedder.text_preprocessing`, rule for rule and in its
 * order, what looks like a mistake included ("download" goes, "free" before it too).
 */
import { fixText } from './ftfy/fix-text.ts';
import { unescapeHtml } from './html-entities.ts';
import { htmlText } from './html-text.ts';
import { pythonPattern, strip } from './python-text.ts';
import { unquotePlus } from './unquote.ts';

type Rule = readonly [pattern: RegExp, replacement: string];

const rule = (pattern: string, replacement: string): Rule => [pythonPattern(pattern), replacement];
const apply = (rules: readonly Rule[], caption: string): string =>
  rules.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), caption);

const SITE = '[a-zA-Z0-9.\\-]+[.](?:com|co|ru|net|org|edu|gov|it)[\\w/-]*\\b/?(?!@)';
const FILE = '(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)';

const ADDRESSES = [
  rule('<person>', 'person'),
  rule(`\\b(?:https?:(?:/{1,3}|[a-zA-Z0-9%])|${SITE})`, ''),
  rule(`\\b(?:www:(?:/{1,3}|[a-zA-Z0-9%])|${SITE})`, ''),
];

const CHARACTERS = [
  // A name of somebody.
  rule('@\\w+\\b', ''),
  // CJK: strokes, phonetic extensions, enclosed letters, compatibility, ideographs, hexagrams.
  rule('[\\u31c0-\\u31ef\\u31f0-\\u31ff\\u3200-\\u32ff\\u3300-\\u33ff]', ''),
  rule('[\\u3400-\\u4dbf\\u4dc0-\\u4dff\\u4e00-\\u9fff]', ''),
  // Dashes.
  rule(
    '[\\x2d\\u058a\\u05be\\u1400\\u1806\\u2010-\\u2015\\u2e17\\u2e1a\\u2e3a\\u2e3b\\u2e40\\u301c\\u3030\\u30a0\\ufe31\\ufe32\\ufe58\\ufe63\\uff0d]+',
    '-',
  ),
  // Quotes.
  rule('[`´«»“”¨]', '"'),
  rule('[‘’]', "'"),
  rule('&quot;?', ''),
  rule('&amp', ''),
  // Addresses of machines, times at the end, line breaks as C writes them.
  rule('\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}', ' '),
  rule('\\d:\\d\\d\\s+$', ''),
  rule('\\\\n', ' '),
  // Numbers of articles.
  rule('#\\d{1,3}\\b', ''),
  rule('#\\d{5,}\\b', ''),
  rule('\\b\\d{6,}\\b', ''),
  // From where a word begins: the official pattern finds the same from there, in a time squared.
  rule(`(?<!\\S)\\S+\\.${FILE}`, ''),
  // Emphasis.
  rule('["\']{2,}', '"'),
  rule('[.]{2,}', ' '),
  rule('[#®•©™&@·º½¾¿¡§~)(\\]\\[}{|\\\\/*]+', ' '),
  rule('\\s+[.]\\s+', ' '),
];

// In more than three places they stand for blanks: this-is-my-cute-cat.
const JOINTS = /[-_]/g;
const MOST_JOINTS = 3;

const PHRASES = [
  // Numbers of products: jc6640, jc6640vc, 6640vc231.
  rule('\\b[a-zA-Z]{1,3}\\d{3,15}\\b', ''),
  rule('\\b[a-zA-Z]+\\d+[a-zA-Z]+\\b', ''),
  rule('\\b\\d+[a-zA-Z]+\\d+\\b', ''),
  // Advertisements.
  rule('(?:worldwide\\s+)?(?:free\\s+)?shipping', ''),
  rule('(?:free\\s)?download(?:\\sfree)?', ''),
  rule('\\bclick\\b\\s(?:for|on)\\s\\w+', ''),
  rule(`\\b${FILE}(?:\\simages?)?`, ''),
  rule('\\bpage\\s+\\d+\\b', ''),
  rule('\\b\\d*[a-zA-Z]+\\d+[a-zA-Z]+\\d+[a-zA-Z\\d]*\\b', ' '),
  // Sizes, with a Latin x, a Cyrillic one or a sign.
  rule('\\b\\d+\\.?\\d*[xх×]\\d+\\.?\\d*\\b', ''),
  rule('\\b\\s+:\\s+', ': '),
  rule('(\\D[,./])\\b', '$1 '),
  rule('\\s+', ' '),
];

const ENDS = [
  rule('^["\']([^]+)["\']$', '$1'),
  rule("^['_,\\-:;]", ''),
  rule("['_,\\-:+]$", ''),
  rule('^[.]\\S+$', ''),
];

/**
 * A prompt in the form of the captions that the official models were trained with: in small letters,
 * without addresses, HTML, CJK ideographs, numbers of products and other things that are not seen
 * in a picture. It may be empty.
 */
export const cleanCaption = (text: string): string => cleanOnce(cleanOnce(text));

function cleanOnce(text: string): string {
  const addressed = apply(ADDRESSES, strip(unquotePlus(text)).toLowerCase());
  let caption = apply(CHARACTERS, htmlText(addressed));
  if ([...caption.matchAll(JOINTS)].length > MOST_JOINTS) caption = caption.replace(JOINTS, ' ');
  caption = strip(unescapeHtml(unescapeHtml(fixText(caption))));
  return strip(apply(ENDS, apply(PHRASES, caption)));
}
