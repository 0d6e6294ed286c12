import { describe, expect, test } from 'vitest';
import { formatTokens, parseTokens, readTokens } from '../../src/cli/tokens-file.ts';
import { OptionError } from '../../src/errors.ts';

const LIMITS = { gridSize: 2, codebookSize: 10 };
const FILE = {
  grid: [2, 2] as const,
  images: [
    { class: 3, seed: 12, tokens: [0, 9, 5, 1] },
    { class: 0, seed: Number.MAX_SAFE_INTEGER, tokens: [1, 2, 3, 4] },
  ],
};

test('what is written is read', () => {
  expect(parseTokens(formatTokens(FILE), LIMITS)).toEqual(FILE);
});

test('a byte order mark in front is no part of the file', () => {
  expect(parseTokens(`\uFEFF${formatTokens(FILE)}`, LIMITS)).toEqual(FILE);
});

test('a value deeper than the stack is quoted by its beginning', () => {
  const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
  for (const text of [deep, `{"grid": ${deep}}`, `{"grid": [2, 2], "images": [${deep}]}`]) {
    expect(() => parseTokens(text, LIMITS, 'a.json')).toThrow(OptionError);
    expect(() => parseTokens(text, LIMITS, 'a.json')).toThrow(/^a\.json: .*got \[{80}\.\.\.$/);
  }
});

test('how the tokens were made is kept, and anything else in its place is not', () => {
  const sampling = { cfgScale: 2, topK: 0, greedy: false };
  const made = { model: 'fruits', sampling, dtype: 'f32', adapter: 'A' };
  expect(parseTokens(formatTokens({ ...FILE, made }), LIMITS)).toEqual({ ...FILE, made });
  for (const odd of [7, null, [], { model: 3 }, 'fruits']) {
    const text = JSON.stringify({ ...FILE, made: odd });
    expect(parseTokens(text, LIMITS).made).toBeUndefined();
  }
});

const image = (changes: object) => ({ grid: [2, 2], images: [{ ...FILE.images[0], ...changes }] });

describe('refuses', () => {
  test.each<[string, unknown, RegExp]>([
    ['a list', [], /the file expected an object/],
    ['no grid', { images: FILE.images }, /"grid" expected \[2, 2\].*got nothing/],
    ['another grid', { ...FILE, grid: [4, 4] }, /"grid" expected \[2, 2\].*got \[4,4\]/],
    ['no images', { ...FILE, images: [] }, /"images" expected/],
    ['images that are none', { ...FILE, images: [7] }, /images\[0\] expected an object.*got 7/],
    ['no tokens', image({ tokens: 'x' }), /images\[0\].tokens expected a list/],
    ['too few tokens', image({ tokens: [1, 2, 3] }), /expected 4 codes.*got 3/],
    ['a token past the codebook', image({ tokens: [1, 2, 10, 3] }), /tokens\[2\].*0 to 9, got 10/],
    ['a negative token', image({ tokens: [-1, 2, 1, 3] }), /tokens\[0\].*got -1/],
    ['a fraction', image({ tokens: [1, 2.5, 1, 3] }), /tokens\[1\].*got 2.5/],
    ['a token that is text', image({ tokens: [1, '2', 1, 3] }), /tokens\[1\].*got "2"/],
    ['null', image({ tokens: [1, null, 1, 3] }), /tokens\[1\].*got null/],
    ['a wrong class', image({ class: -1 }), /images\[0\].class expected/],
    ['a wrong seed', image({ seed: 1.5 }), /images\[0\].seed expected/],
  ])('%s', (_, file, message) => {
    const read = () => parseTokens(JSON.stringify(file), LIMITS, 'a.json');
    expect(read).toThrow(OptionError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^a\.json: /);
  });

  test('what is not JSON', () => {
    expect(() => parseTokens('{', LIMITS)).toThrow(/not JSON/);
  });

  test('a file that is not there', () => {
    expect(() => readTokens('no-such-file.json', LIMITS)).toThrow(/no such file or folder/);
  });
});
