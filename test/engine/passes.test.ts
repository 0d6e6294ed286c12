/** Which program a pass takes. */
import { describe, expect, test } from 'vitest';
import { rowCounts, rowsFor } from '../../src/engine/passes.ts';

test.each([
  [1, 4, [1, 2, 4]],
  [2, 2, [1, 2]],
  [10, 64, [1, 2, 4, 8, 10, 16, 32, 64]],
  [80, 80, [1, 2, 4, 8, 16, 32, 64, 80]],
])(
  '%i slots and %i rows: programs for powers of two, one for each slot, and for all',
  (slots, rows, counts) => {
    expect(rowCounts(slots, rows)).toEqual(counts);
  },
);

describe('of the programs there are', () => {
  test.each([
    { what: 'the one of so many rows', needed: 4, built: [2, 4, 8], gpu: 4, software: 4 },
    { what: 'the smallest that is large enough', needed: 3, built: [8, 4, 2], gpu: 4, software: 4 },
    // There the time grows with the rows.
    {
      what: 'one twice too large on a GPU alone',
      needed: 2,
      built: [4, 8],
      gpu: 4,
      software: undefined,
    },
    { what: 'a little too large anywhere', needed: 5, built: [9], gpu: 9, software: 9 },
    {
      what: 'none that is too small',
      needed: 5,
      built: [1, 4],
      gpu: undefined,
      software: undefined,
    },
    { what: 'none of none', needed: 1, built: [], gpu: undefined, software: undefined },
  ])('$what', ({ needed, built, gpu, software }) => {
    expect(rowsFor(needed, needed, built, false)).toBe(gpu);
    expect(rowsFor(needed, needed, built, true)).toBe(software);
  });

  test('the largest that given tokens fill', () => {
    for (const software of [true, false]) {
      expect(rowsFor(2, 20, [2, 8, 16, 32], software)).toBe(16);
      expect(rowsFor(2, 6, [2, 8, 16, 32], software)).toBe(2);
    }
  });
});
