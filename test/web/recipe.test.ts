/** What is said of how fast a picture was drawn, and of where its model is. */
import { expect, test } from 'vitest';
import {
  fromHash,
  hubName,
  isSamePlace,
  perPassText,
  type Recipe,
  toHash,
  tokensDrawn,
} from '../../web/state/recipe.ts';

test('tokens a pass are said where they are more than one', () => {
  expect([undefined, Number.NaN, 1, 1.04, 1.5].map(perPassText)).toEqual([
    ...['', '', '', '', '1.5 tokens a pass'],
  ]);
});

test('tokens that were given were not drawn', () => {
  expect(tokensDrawn(144, { given: [1, 2, 3] } as unknown as Recipe)).toBe(141);
  expect(tokensDrawn(144, {} as Recipe)).toBe(144);
});

test('links say the revision of a model of the hub, as it can be asked for', () => {
  const hub = hubName({ hub: 'owner/name', revision: 'v1' });
  expect(fromHash(toHash({ model: 'tiny', hub })).recipe.hub).toBe('owner/name@v1');
  expect(hubName({ hub: 'owner/name' })).toBe('owner/name');
});

test('models of one name may come from several places', () => {
  const [main, v1] = [{ hub: 'owner/name' }, { hub: 'owner/name', revision: 'v1' }];
  expect(isSamePlace(main, { ...main })).toBe(true);
  expect(isSamePlace(v1, { hub: 'owner/name@v1' })).toBe(true);
  expect(isSamePlace(main, v1)).toBe(false);
  expect(isSamePlace({ url: 'https://a/b' }, { url: 'https://a/b' })).toBe(true);
  expect(isSamePlace({ url: 'https://a/b' }, main)).toBe(false);
  expect(isSamePlace({ files: [] }, { files: [] })).toBe(false);
});
