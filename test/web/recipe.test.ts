/** What is said of how fast a picture was drawn. */
import { expect, test } from 'vitest';
import { perPassText, type Recipe, tokensDrawn } from '../../web/state/recipe.ts';

test('tokens a pass are said where they are more than one', () => {
  expect([undefined, Number.NaN, 1, 1.04, 1.5].map(perPassText)).toEqual([
    ...['', '', '', '', '1.5 tokens a pass'],
  ]);
});

test('tokens that were given were not drawn', () => {
  expect(tokensDrawn(144, { given: [1, 2, 3] } as unknown as Recipe)).toBe(141);
  expect(tokensDrawn(144, {} as Recipe)).toBe(144);
});
