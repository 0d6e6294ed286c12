/** That every case of a long suite runs somewhere. */
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

const ALL = Array.from({ length: 50 }, (_, i) => i);

async function chosen(count: number, share?: string, seed = '1'): Promise<readonly number[]> {
  vi.resetModules();
  vi.stubEnv('LLAMAGEN_LONG_SHARE', share);
  vi.stubEnv('LLAMAGEN_LONG_SEED', seed);
  const { few } = await import('./support/few.ts');
  return few(count, ALL);
}

test('npm test and npm run test:long run all cases together, and none twice', async () => {
  const quick = await chosen(7);
  expect(quick).toHaveLength(7);
  expect([...quick, ...(await chosen(7, '1'))].sort((a, b) => a - b)).toEqual(ALL);
  expect(await chosen(7, 'every')).toEqual(ALL);
  expect(await chosen(50)).toEqual(ALL);
});

test('what is cut otherwise inside is run again by npm run test:long', async () => {
  vi.stubEnv('LLAMAGEN_LONG_SHARE', '1');
  const { fewAgain } = await import('./support/few.ts');
  expect(fewAgain(7, ALL)).toEqual(ALL);
});

test('a sample has its share of the others, the same for a seed, and at least one', async () => {
  const sample = await chosen(7, '0.25');
  expect(sample).toHaveLength(11);
  expect(await chosen(7, '0.25')).toEqual(sample);
  expect(await chosen(7, '0.25', '2')).not.toEqual(sample);
  const others = await chosen(7, '1');
  expect(sample.every((i) => others.includes(i))).toBe(true);
  expect(await chosen(7, '0')).toHaveLength(1);
});
