/** How far the image decoder may be off in the precision `fast`: where the numbers of golden/fast.json come from. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { caseFolders, openCase, readConfig, tensorOf } from './golden-runner/case.ts';
import { fastTolerances } from './golden-runner/fast-tolerances.ts';
import { decodeInFloat64, roundToTenBits } from './golden-runner/vq-reference.ts';
import { difference } from './oracle/compare.ts';
import { ROOT } from './support/sources.ts';

const all = JSON.parse(readFileSync(`${ROOT}/test/golden/fast.json`, 'utf8'));
const tokenizers = caseFolders(`${ROOT}/test/golden`)
  .map((folder) => ({ folder, ...readConfig(folder) }))
  .filter(({ kind }) => kind === 'vq');

test('every tokenizer has them', () => {
  expect(Object.keys(all).sort()).toEqual(tokenizers.map(({ name }) => name).sort());
});

describe.each(tokenizers)('$name', ({ folder, name }) => {
  test('the decoder by oracles is the official one, to what f32 holds of it', async () => {
    const golden = await openCase(folder);
    const made = await decodeInFloat64(golden);
    expect([...made.keys()]).toContain('image');
    for (const [tensor, values] of made) {
      // Expected values are stored as f32.
      const { nmse } = difference(values, tensorOf(golden, tensor).data);
      expect(nmse, tensor).toBeLessThan(1e-14);
    }
  });

  test('with rounded operands it is off by what is allowed', async () => {
    expect(await fastTolerances(await openCase(folder))).toEqual(all[name]);
  });
});

test('ten bits after the leading one, to the nearest and of two the even', () => {
  const unit = 2 ** -10;
  const given = [
    1 + 0.4 * unit,
    1 + 0.5 * unit,
    1 + 1.5 * unit,
    -(1 + 0.6 * unit),
    2 - unit / 4,
    0,
  ];
  const rounded = [1, 1, 1 + 2 * unit, -(1 + unit), 2, 0];
  expect([...roundToTenBits(given)]).toEqual(rounded);
  expect([...roundToTenBits(rounded)]).toEqual(rounded);
});
