/** The text of a tuner's results: what is written is read, and what is broken is said. */
import { describe, expect, test } from 'vitest';
import { formatTables, parseTables, tilesOf, withTuned } from '../../src/tune/table.ts';

const tuned = {
  'product f32[8,4]': { tile: { span: 8, wide: true }, ownUs: 20, us: 10 },
  'product f32[4,4]': { tile: {}, ownUs: 5, us: 5 },
};

test('what is written is read', () => {
  const tables = { 'adapter; toggles': { kernels: '0123', tuned } };
  expect(parseTables(formatTables(tables))).toEqual(tables);
});

test('a byte order mark in front is no part of the text', () => {
  expect(parseTables(`\uFEFF${formatTables({})}`)).toEqual({});
});

test('a variant gets only tiles that are better than the own choice', () => {
  expect(tilesOf(tuned)).toEqual({ 'product f32[8,4]': { span: 8, wide: true } });
});

test('what was measured is stronger than what is known, also where the own choice was the best', () => {
  const known = {
    'product f32[8,4]': { span: 2 },
    'product f32[4,4]': { span: 2 },
    'product f32[2,4]': { span: 2 },
  };
  expect(withTuned(known, tuned)).toEqual({
    'product f32[8,4]': { span: 8, wide: true },
    'product f32[2,4]': { span: 2 },
  });
  expect(withTuned(known, {})).toEqual(known);
});

describe('broken', () => {
  const of = (adapters: unknown) => JSON.stringify({ format: 'llamagen-tiles-1', adapters });
  const tile = (value: unknown) => of({ a: { kernels: '0', tuned: { 'f [1]': value } } });
  test.each([
    ['cut off', formatTables({}).slice(0, 10), /not JSON/],
    ['another format', '{"format":"llamagen-tiles-9","adapters":{}}', /no llamagen-tiles-1 file/],
    ['a list', '[]', /no llamagen-tiles-1 file/],
    ['no adapters', of(undefined), /"adapters"/],
    ['a table without digest', of({ a: { tuned: {} } }), /"a" expected/],
    [
      'an adapter of a million characters without digest',
      of({ ['x'.repeat(1e6)]: {} }),
      /^"x{79}\.\.\. expected a digest/,
    ],
    ['a tile that is text', tile({ tile: 'x', ownUs: 1, us: 1 }), /"f \[1\]" expected/],
    ['a setting that is a list', tile({ tile: { span: [1] }, ownUs: 1, us: 1 }), /"f \[1\]"/],
    ['a time that is none', tile({ tile: {}, ownUs: null, us: 1 }), /"f \[1\]"/],
  ])('%s', (_, text, message) => {
    expect(() => parseTables(text)).toThrow(message);
  });
});
