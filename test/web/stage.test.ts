/** What comes late for a picture finds its own tile, or none. */
import { expect, test } from 'vitest';
import type { Kept } from '../../web/state/gallery.ts';
import type { Recipe } from '../../web/state/recipe.ts';
import { clear, current, leave, put, select, tiles } from '../../web/state/stage.ts';

const recipes = [1, 2, 3].map((seed) => ({ seed }) as Recipe);
const seeds = (): number[] => tiles.value.map(({ recipe }) => recipe.seed);

test('a picture that is removed moves no other one’s', () => {
  const [a, b, c] = clear(recipes) as [number, number, number];
  put(a, { state: 'done', kept: { id: 7 } as Kept });
  select(1);
  leave({ id: 7 } as Kept);
  expect([seeds(), current.value?.id]).toEqual([[2, 3], b]);
  expect([put(b, { done: 5 }), put(c, { done: 9 }), put(a, { done: 1 })]).toEqual([
    ...[true, true, false],
  ]);
  expect(tiles.value.map(({ done }) => done)).toEqual([5, 9]);
});

test('a run before has no tile in the next one', () => {
  const before = clear(recipes);
  const next = clear(recipes);
  expect(before.map((id) => put(id, { done: 4 }))).toEqual([false, false, false]);
  expect(next.map((id) => put(id, { done: 4 }))).toEqual([true, true, true]);
});
