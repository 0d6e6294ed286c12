import { expect, test } from 'vitest';
import { findCheckpoint } from '../../../src/catalogue/checkpoints.ts';
import { capacityFor } from '../../../src/web/worker/capacity.ts';

test.each([
  ['c2i-B-256', 8],
  ['c2i-L-384', 4],
  ['c2i-3B-384', 2],
])('slots for %s: %i', (name, slots) => {
  const { gptConfig } = findCheckpoint(name)!;
  expect(capacityFor(gptConfig!)).toBe(slots);
});
