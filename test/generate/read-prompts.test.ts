/** What is said of prompts before any device is used. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { cutNote, readPrompts } from '../../src/generate/read-prompts.ts';

/** An id for each word, the end token last. */
const WORDS = {
  encode(text: string, { maxLength }: { maxLength: number }) {
    const words = text.split(/\s+/).filter((word) => word !== '');
    const kept = words.slice(0, maxLength - 1);
    const cut = words.slice(maxLength - 1).join(' ') || undefined;
    return { ids: [...kept.map((word) => word.length + 1), 1], cut };
  },
};
const SETTINGS = { maxLength: 5, clean: true };
const withoutLinks = (text: string): string => text.replace(/https?:\S+/g, '').trim();
const read = (prompts: readonly string[], settings = SETTINGS) =>
  readPrompts(prompts, WORDS, settings, withoutLinks);

describe('prompts', () => {
  test('are cleaned, and cut at the length of the model', () => {
    expect(read(['two lemons', 'a cat http://x.y on a red ground'])).toEqual([
      { prompt: 'two lemons', text: 'two lemons', ids: [4, 7, 1] },
      {
        prompt: 'a cat http://x.y on a red ground',
        text: 'a cat  on a red ground',
        ids: [2, 4, 3, 2, 1],
        cut: 'red ground',
      },
    ]);
  });

  test('of a model that wants them as they are stay so', () => {
    const [prompt] = read([' see http://x.y '], { maxLength: 5, clean: false });
    expect(prompt).toMatchObject({ text: 'see http://x.y', ids: [4, 11, 1] });
  });

  test('that were cut are said in one line', () => {
    const [short] = read(['a cat']);
    const long = read(['one two three four five six']);
    expect(cutNote([short!], 5)).toBeUndefined();
    expect(cutNote([short!, ...long], 5)).toBe('the model reads 5 tokens: cut "five six"');
    expect(cutNote([...long, ...long, ...long], 5)).toMatch(/and the ends of 2 more prompts/);
  });

  test('may have blanks of any kind, and characters beyond the first plane', () => {
    expect(read(['a\tcat\r\n and\u0085 a 🍋'])).toHaveLength(1);
  });
});

describe('refused', () => {
  test.each([
    ['an empty one', [''], /the prompt is empty/],
    ['blanks', ['a', ' \n '], /prompt 2 is empty/],
    [
      'one that cleaning empties',
      [' http://x.y '],
      /" http:\/\/x.y " has no words once it is cleaned/,
    ],
    ['signs of a sentence alone', ['?!'], /has no words/],
    ['a control character', ['a \u001b[31mcat'], /control character U\+001B at 2/],
    ['a zero', ['a\0'], /U\+0000 at 1/],
    ['half a character', ['a \ud83c!'], /half a character, U\+D83C at 2/],
    ['a book', ['a'.repeat(10_001)], /has 10001 characters/],
    ['no prompt', [], /at least one text/],
  ])('%s', (_, prompts, message) => {
    expect(() => read(prompts)).toThrow(message);
    expect(() => read(prompts)).toThrow(OptionError);
  });

  test('what is no text', () => {
    expect(() => read([7 as unknown as string])).toThrow(/"prompts" expected an array of texts/);
    expect(() => read('a cat' as unknown as string[])).toThrow(OptionError);
  });
});
