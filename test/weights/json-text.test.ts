/** JSON of users: what precedes it, how it is quoted, and what JSON.parse hides. */
import { expect, test } from 'vitest';
import { scanJson } from '../../src/weights/json-scan.ts';
import { parseJson } from '../../src/weights/json-text.ts';
import { brief, quote } from '../../src/weights/quote.ts';

test('a byte order mark is no part of the text, and only the first character is one', () => {
  expect(parseJson('\uFEFF{"a": "\uFEFFb"}')).toEqual({ a: '\uFEFFb' });
  expect(() => parseJson('\uFEFF\uFEFF{}')).toThrow(SyntaxError);
  expect(() => parseJson('\uFEFF')).toThrow(SyntaxError);
});

test.each([null, 'a"b\n', '', 1.5, true, [], {}, [1, [2, {}], 'x'], { a: { b: [null] }, 'c"': 2 }])(
  '%j is quoted as JSON',
  (value) => expect(quote(value)).toBe(JSON.stringify(value)),
);

test('what JSON has no word for is named', () => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, 5n, undefined];
  expect(values.map((value) => quote(value))).toEqual(['NaN', 'Infinity', '5', 'undefined']);
});

test('a long value is cut, whatever its form', () => {
  const long: unknown[] = [
    'x'.repeat(1e6),
    Array(1e6).fill(0),
    { ['k'.repeat(1e6)]: 1 },
    { a: 'y'.repeat(1e6) },
    Array.from({ length: 100 }, (_, i) => ({ [`k${i}`]: [i, `${i}`] })),
  ];
  for (const value of long) {
    expect(quote(value)).toBe(`${JSON.stringify(value).slice(0, 80)}...`);
    expect(quote(value, 7)).toBe(`${JSON.stringify(value).slice(0, 7)}...`);
  }
  expect(quote('x'.repeat(78))).toHaveLength(80);
  expect(quote('x'.repeat(79))).toBe(`"${'x'.repeat(79)}...`);
  expect(brief('x'.repeat(80))).toHaveLength(80);
  expect(brief('x'.repeat(81))).toBe(`${'x'.repeat(80)}...`);
});

test('a value deeper than the stack is quoted', () => {
  const lists: unknown = JSON.parse(`${'['.repeat(2e5)}${']'.repeat(2e5)}`);
  expect(quote(lists)).toBe(`${'['.repeat(80)}...`);
  const objects: unknown = JSON.parse(`${'{"a":'.repeat(2e5)}1${'}'.repeat(2e5)}`);
  expect(quote(objects)).toBe(`${'{"a":'.repeat(16)}...`);
  const circle: unknown[] = [];
  circle.push(circle);
  expect(quote(circle)).toBe(`${'['.repeat(80)}...`);
});

test('numbers not in digits are given with the keys around them', () => {
  const found: string[] = [];
  const text = '{"a": {"b": [1, -2, [3.0]], "c": "4.5"}, "d": 1e3, "e": [{"f": [5, 6E-1 ]}]}';
  const { depth, twice } = scanJson(text, (literal, keys) => {
    found.push(`${keys.join('/')} ${literal}`);
  });
  expect(found).toEqual(['/a/b -2', '/a/b/ 3.0', ' 1e3', '/e//f 6E-1']);
  expect([depth, twice]).toEqual([4, undefined]);
  expect(scanJson(String.raw`[{"a": {"b": 1}, "b": 2}, {"\u0061": 1, "a": 2}]`).twice).toBe('a');
});
