/**
 * Captions as the official sampler cleans them: make_caption_cases.py has its rules in Python, with
 * Beautiful Soup and ftfy, and wrote what they make of the texts compared here.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cleanCaption } from '../../src/text/clean-caption.ts';
import { isBad } from '../../src/text/ftfy/badness.ts';
import { fixText } from '../../src/text/ftfy/fix-text.ts';
import { unescapeHtml } from '../../src/text/html-entities.ts';
import { htmlText } from '../../src/text/html-text.ts';
import { unquotePlus } from '../../src/text/unquote.ts';

type Rows = readonly (readonly string[])[];
const CASES: Record<string, Rows> = JSON.parse(
  readFileSync(new URL('caption-cases.json', import.meta.url), 'utf8'),
);

describe('what Python makes of the same texts', () => {
  test.each([
    ['captions', cleanCaption, 400],
    ['html', htmlText, 140],
    ['fixed', fixText, 300],
    ['bad', (text) => (isBad(text) ? 'True' : 'False'), 200],
    ['unescaped', unescapeHtml, 150],
    ['unquoted', unquotePlus, 30],
  ] satisfies [string, (text: string) => string, number][])('%s', (name, ours, least) => {
    const rows = CASES[name]!;
    expect(rows.length).toBeGreaterThanOrEqual(least);
    expect(rows.map(([text]) => [text, ours(text!)])).toEqual(
      rows.map((row) => [row[0], row.at(-1)]),
    );
  });
});

describe('a caption keeps what can be seen', () => {
  test.each([
    [
      'A blue Porsche 356 in front of a YELLOW wall.',
      'a blue porsche 356 in front of a yellow wall.',
    ],
    ['  two   lemons\n', 'two lemons'],
    ['“a cat” — on a mat', '"a cat" - on a mat'],
    ['a naïve café, кошка, ねこ', 'a naïve café, кошка, ねこ'],
    ['a 🐱 in the rain', 'a 🐱 in the rain'],
  ])('%s', (caption, cleaned) => expect(cleanCaption(caption)).toBe(cleaned));
});

describe('a caption loses what cannot be seen', () => {
  test.each([
    ['addresses', 'a cat www.cats.com/1', 'a cat'],
    ['HTML', '<b>a cat</b> on<br>a mat<script>x()</script>', 'a cat ona mat'],
    ['entities', 'a cat &lt;3 fish &amp; chips', 'a cat <3 fish chips'],
    ['ideographs', '一只猫 a cat', 'a cat'],
    ['names of people', 'a cat by @someone', 'a cat by'],
    ['files', 'IMG_12.jpg a cat', 'a cat'],
    ['numbers of products', 'a cat ab1234 x1y 123456789', 'a cat'],
    ['sizes', 'a cat 10x20 3×4', 'a cat'],
    ['advertisements', 'a cat free shipping', 'a cat'],
    ['emphasis', '***a*** [cat]...', 'a cat'],
    ['joints of many words', 'this-is-my-cute-cat', 'this is my cute cat'],
    ['everything, sometimes', 'https://a.com/ @b #12', ''],
  ])('%s', (_, caption, cleaned) => expect(cleanCaption(caption)).toBe(cleaned));
});

test('the second cleaning finds what the first one made', () => {
  // Entities are resolved after HTML was taken out: what they make is HTML for the second one.
  expect(cleanCaption('a cat &lt;br&gt; on a mat')).toBe('a cat on a mat');
  // Slashes are gone by then, so nothing is left of an end tag that looks like one.
  expect(cleanCaption('&lt;b&gt;a cat&lt;/b&gt;')).toBe('a cat< b>');
});

test('mojibake is seldom found, since capitals are small letters before anybody looks for it', () => {
  expect(fixText('cafÃ© itâ€™s')).toBe("café it's");
  expect(cleanCaption('cafÃ© itâ€™s')).toBe('cafã it†s');
});

test('a cleaned caption stays as it is', () => {
  for (const caption of ['two lemons', 'a cat to the left of a slice of pizza on a blue ground']) {
    expect(cleanCaption(caption)).toBe(caption);
  }
});

test('damaged lines are fixed each for itself', () => {
  expect(fixText('â€œcatâ€\u009d\nÐ¿Ñ€Ð¸Ð²ÐµÑ‚\nplain')).toBe('"cat"\nпривет\nplain');
  expect(fixText('ﬁne ＬＯＵＤ\u3000\u001b[31mred\u001b[0m\u0007')).toBe('fine LOUD red');
  expect(fixText('P&EACUTE;REZ &hellip; <b> &eacute;')).toBe('P&EACUTE;REZ &hellip; <b> &eacute;');
});

test('halves of characters become U+FFFD', () => {
  expect(fixText('a\ud83db\udc31\ud83d\udc31')).toBe('a\ufffdb\ufffd🐱');
});

test('a long prompt takes a moment', () => {
  const start = performance.now();
  cleanCaption('the quick brown fox. '.repeat(400));
  cleanCaption('a'.repeat(10_000));
  expect(performance.now() - start).toBeLessThan(2000);
});

test('any text at all can be cleaned', () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.constantFrom(
      '<',
      '</',
      '<!',
      '<![',
      '<!--',
      '<?',
      '&',
      '&#',
      ';',
      '>',
      '%',
      '%c3',
      '\ud83d',
      'Ã',
      '€',
    ),
  );
  fc.assert(
    fc.property(fc.array(odd, { maxLength: 12 }), (parts) => {
      const cleaned = cleanCaption(parts.join(''));
      expect(cleaned).toBe(cleaned.trim());
      expect(cleaned).not.toMatch(/\s{2}|\p{Surrogate}/u);
    }),
    { numRuns: 100 },
  );
});
