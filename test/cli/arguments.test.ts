import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import {
  collect,
  decimal,
  decimalFrom,
  integer,
  integerOrAuto,
  parseClasses,
  randomSeed,
  repeatEach,
  words,
} from '../../src/cli/arguments.ts';
import { OptionError } from '../../src/errors.ts';

const MOST = Number.MAX_SAFE_INTEGER;

describe('integer', () => {
  test.each([
    ['1', 1],
    ['+7', 7],
    ['4096', 4096],
  ])('reads "%s"', (text, value) => {
    expect(integer(1, 4096)(text)).toBe(value);
  });

  test.each(['0', '4097', '-1', '1.5', '1e2', '0x10', '', ' ', 'ten', 'NaN', 'Infinity'])(
    'refuses "%s"',
    (text) => {
      expect(() => integer(1, 4096)(text)).toThrow(InvalidArgumentError);
      expect(() => integer(1, 4096)(text)).toThrow('from 1 to 4096');
    },
  );

  test('goes up to 2^53-1', () => {
    expect(integer(0, MOST)(String(MOST))).toBe(MOST);
    expect(() => integer(0, MOST)('9007199254740992')).toThrow('2^53-1');
  });

  test.each(['0', '65', '1.5', 'automatic'])(
    '%s is neither auto nor a number that may be',
    (text) => {
      expect(integerOrAuto(1, 64)('auto')).toBe('auto');
      expect(integerOrAuto(1, 64)('8')).toBe(8);
      expect(() => integerOrAuto(1, 64)(text)).toThrow('auto or a whole number from 1 to 64');
    },
  );
});

describe('words', () => {
  const some = words(['name', 'args']);

  test('reads known words with commas between', () => {
    expect(some('args')).toEqual(['args']);
    expect(some('args, name')).toEqual(['args', 'name']);
  });

  test.each(['', 'names', 'name,', 'NAME'])('refuses "%s"', (text) => {
    expect(() => some(text)).toThrow(InvalidArgumentError);
    expect(() => some(text)).toThrow('Expected name, args with commas between.');
  });
});

describe('decimal', () => {
  test.each([
    ['1.5', 1.5],
    ['-1', -1],
    ['.25', 0.25],
    ['1e-3', 0.001],
  ])('reads "%s"', (text, value) => {
    expect(decimal(text)).toBe(value);
  });

  test.each(['', ' ', 'NaN', 'Infinity', '1,5', 'x'])('refuses "%s"', (text) => {
    expect(() => decimal(text)).toThrow('Expected a number.');
  });
});

test('decimalFrom reads numbers in its range', () => {
  const scale = decimalFrom(1, 8);
  expect(['1', '1.5', ' 8 '].map(scale)).toEqual([1, 1.5, 8]);
  for (const text of ['0.99', '8.01', '-2', '', 'x', 'NaN']) {
    expect(() => scale(text), text).toThrow(InvalidArgumentError);
  }
  expect(() => scale('9')).toThrow('Expected a number from 1 to 8.');
});

describe('parseClasses', () => {
  const CLASSES = ['tench, Tinca tinca', 'goldfish', 'shark'];

  test.each<[string[], number[]]>([
    [['goldfish'], [1]],
    [
      ['goldfish,shark', '0'],
      [1, 2, 0],
    ],
    [['Tench, Tinca tinca'], [0]],
    [[' 2 , goldfish '], [2, 1]],
    [['all'], [0, 1, 2]],
    [['ALL'], [0, 1, 2]],
    [[' All '], [0, 1, 2]],
  ])('%j', (values, classes) => {
    expect(parseClasses(CLASSES, values)).toEqual(classes);
  });

  test('takes "all" for the class of that name where there is one', () => {
    expect(parseClasses(['awl', 'all'], ['all'])).toEqual([1]);
    expect(parseClasses(['awl', 'All'], ['aLL'])).toEqual([1]);
  });

  test.each(['goldfish,', ',', '', 'goldfish,,shark'])('refuses "%s"', (value) => {
    expect(() => parseClasses(CLASSES, [value])).toThrow(OptionError);
  });
});

test('repeatEach goes class by class', () => {
  expect(repeatEach([3, 1], 2)).toEqual([3, 3, 1, 1]);
});

test('randomSeed gives whole numbers that differ', () => {
  const seeds = Array.from({ length: 10 }, randomSeed);
  expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
  expect(new Set(seeds).size).toBeGreaterThan(1);
});

test('collect gathers values', () => {
  expect(collect('b', collect('a'))).toEqual(['a', 'b']);
});
