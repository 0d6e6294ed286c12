/** LLAMAGEN_VARIANT as text. */
import { expect, test } from 'vitest';
import { type Tile, tileOf } from '../../src/ops/tiles.ts';
import { parseVariant } from '../../src/ops/variant-words.ts';

test.each([
  ['serial', { variant: { reduce: 'serial' } }],
  ['product.span=1,product.columns=8', { tiles: { product: { span: 1, columns: 8 } } }],
  ['attention.keys=4,attention.size=128', { tiles: { attention: { keys: 4, size: 128 } } }],
  ['conv.math=matrix,map.math=f16', { tiles: { conv: { math: 'matrix' }, map: { math: 'f16' } } }],
  ['workgroup, packed', { variant: { reduce: 'workgroup', f16: false } }],
])('%s', (text, expected) => {
  expect(parseVariant(text)).toEqual({ variant: {}, tiles: {}, ...expected });
});

test.each([
  'fast',
  'serial,',
  'product.colour=4',
  'nothing.columns=4',
  'attention.parts=4',
  'product.columns=',
])('refuses "%s" and lists what is known', (text) => {
  expect(() => parseVariant(text)).toThrow(/^LLAMAGEN_VARIANT: ".*" expected one of serial, /);
});

test('a forced tile is stronger than a measured one', () => {
  const measured = { 'product f32[8,8]': { columns: 8, split: 2 } };
  expect(tileOf(measured, 'product f32[8,9]')).toEqual({});
  expect(tileOf(measured, 'product f32[8,8]')).toEqual({ columns: 8, split: 2 });
  const tiles = { ...measured, product: { split: 4 } };
  expect(tileOf(tiles, 'product f32[8,8]')).toEqual({ columns: 8, split: 4 });
});

test('a measured tile is left out where another math is forced', () => {
  const byMatrices = { math: 'matrix', columns: 32, parts: 8 };
  const of = (own: Tile, forced: Tile) =>
    tileOf({ 'product f16[8,8]': own, product: forced }, 'product f16[8,8]');
  expect(of(byMatrices, { math: 'f32', span: 8 })).toEqual({ math: 'f32', span: 8 });
  expect(of({ span: 4 }, { math: 'matrix' })).toEqual({ math: 'matrix' });
  expect(of(byMatrices, { math: 'matrix', columns: 16 })).toEqual({ ...byMatrices, columns: 16 });
  expect(of({ span: 4 }, { math: 'f32' })).toEqual({ span: 4, math: 'f32' });
});
