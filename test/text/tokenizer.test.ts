/** T5's tokenizer against sentencepiece: make_tokenizer_cases.py has the model and the texts. */
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';

const read = (name: string) => readFileSync(new URL(name, import.meta.url));
const TEXT = brotliDecompressSync(read('tokenizer.json.br')).toString();
const CASES: [text: string, ids: number[]][] = JSON.parse(read('tokenizer-cases.json').toString());
const END = 1;

const tokenizer = loadTokenizer(TEXT);

describe('ids', () => {
  test('are those of sentencepiece, odd characters and all', () => {
    expect(CASES.length).toBeGreaterThan(300);
    const ours = CASES.map(([text]) => [text, tokenizer.encode(text, { maxLength: 1000 }).ids]);
    expect(ours).toEqual(CASES.map(([text, ids]) => [text, [...ids, END]]));
  });

  test('end with the end token, which no text can spell', () => {
    expect(tokenizer.end).toBe(END);
    expect(tokenizer.encode('').ids).toEqual([END]);
    const { ids } = tokenizer.encode('a cat</s> and a dog');
    expect(ids.indexOf(END)).toBe(ids.length - 1);
  });

  test('are rows of a table of vocabSize rows', () => {
    const ids = CASES.flatMap(([text]) => tokenizer.encode(text).ids);
    expect(Math.max(...ids)).toBeLessThan(tokenizer.vocabSize);
    expect(tokenizer.vocabSize).toBe(1000);
  });

  test('of a long word without blanks take a moment', () => {
    expect(tokenizer.encode('abcdefgh'.repeat(5000)).ids).toHaveLength(120);
  });
});

describe('a text that is too long', () => {
  const long = `${'two cats and '.repeat(60)}a dog`;

  test('is cut to 120 ids, the end token among them, and says what was left out', () => {
    const { ids, cut } = tokenizer.encode(long);
    expect(ids).toHaveLength(120);
    expect(ids.at(-1)).toBe(END);
    expect(ids.slice(0, 119)).toEqual(
      tokenizer.encode(long, { maxLength: 1000 }).ids.slice(0, 119),
    );
    expect(long.endsWith(cut!)).toBe(true);
    expect(cut!.length).toBeLessThan(long.length);
  });

  test('is as long as asked for; all of it leaves nothing to report', () => {
    const all = tokenizer.encode(long, { maxLength: 1000 });
    expect(all.cut).toBeUndefined();
    expect(tokenizer.encode(long, { maxLength: all.ids.length })).toEqual(all);
    expect(tokenizer.encode(long, { maxLength: all.ids.length - 1 }).cut).toMatch(/g$/);
    expect(tokenizer.encode(long, { maxLength: 1 })).toEqual({ ids: [END], cut: long });
  });

  test.each([0, -1, 1.5, Number.NaN])('cannot be cut to %s ids', (maxLength) => {
    expect(() => tokenizer.encode(long, { maxLength })).toThrow(OptionError);
  });
});

/** The file with a part of it replaced; a key with dots goes deeper. */
function changed(path: string, value: unknown): unknown {
  const json = JSON.parse(TEXT);
  const keys = path.split('.');
  const last = keys.pop()!;
  keys.reduce((at, key) => at[key], json)[last] = value;
  return json;
}

describe('a tokenizer.json that cannot be used is refused', () => {
  const special = { SpecialToken: { id: '</s>' } };
  const TWO_TOKENS = [special, { Sequence: { id: 'A' } }, special];
  const metaspace = { type: 'Metaspace', replacement: '▁' };
  test.each([
    ['cut off', TEXT.slice(0, 1000), /damaged: .*JSON/],
    ['another kind of JSON', [1, 2], /expected a JSON object, got a list/],
    ['nothing', undefined, /expected a JSON object, got undefined/],
    ['no model', {}, /no "model"/],
    ['BPE', changed('model.type', 'BPE'), /kind "BPE".*"Unigram"/],
    ['WordPiece', changed('model.type', 'WordPiece'), /kind "WordPiece"/],
    ['bytes for what is unknown', changed('model.byte_fallback', true), /byte_fallback/],
    ['no vocabulary', changed('model.vocab', []), /no list of pieces/],
    ['a piece without a score', changed('model.vocab.7', ['cat']), /piece 7 /],
    ['an unknown token that is none', changed('model.unk_id', 1000), /"unk_id".*1000/],
    ['no end token', changed('post_processor', null), /no end token/],
    ['a token before the text', changed('post_processor.single', TWO_TOKENS), /more around a text/],
    ['another normalizer', changed('normalizer', { type: 'BertNormalizer' }), /"BertNormalizer"/],
    ['a table that is no base64', changed('normalizer.precompiled_charsmap', '%'), /base64/],
    ['a table without a trie', changed('normalizer.precompiled_charsmap', 'AAAA'), /no trie/],
    ['another pre-tokenizer', changed('pre_tokenizer', { type: 'ByteLevel' }), /"ByteLevel"/],
    [
      'no blank before a text',
      changed('pre_tokenizer', { ...metaspace, prepend_scheme: 'never' }),
      /put one before/,
    ],
  ])('%s', (_, json, message) => {
    expect(() => loadTokenizer(json, { where: 'here/tokenizer.json' })).toThrow(WeightsError);
    expect(() => loadTokenizer(json, { where: 'here/tokenizer.json' })).toThrow(message);
  });

  test('by its name', () => {
    expect(() => loadTokenizer('{', { where: 'here/tokenizer.json' })).toThrow(/^here\/tokenizer/);
  });
});

test('newer forms of the same file give the same ids', () => {
  const newer = loadTokenizer({
    ...JSON.parse(TEXT),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Strip', strip_left: false, strip_right: true },
        JSON.parse(TEXT).normalizer,
        { type: 'Replace', pattern: { Regex: ' {2,}' }, content: '▁' },
      ],
    },
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
  });
  for (const [text] of CASES) expect(newer.encode(text)).toEqual(tokenizer.encode(text));
});

test('without a table of replacements only blanks are put in order', () => {
  const plain = loadTokenizer(changed('normalizer', null));
  expect(plain.encode('  a   cat ')).toEqual(tokenizer.encode('a cat'));
  expect(plain.encode('ｃａｔ')).not.toEqual(tokenizer.encode('ｃａｔ'));
});
