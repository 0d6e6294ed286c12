import { describe, expect, test } from 'vitest';
import { type Placed, planPass, rowsNeeded, rowsWanted } from '../../src/engine/plan-pass.ts';
import { sampling } from '../support/sampling.ts';

const UNCONDITIONAL = 99;

/** A sequence in slot `slot`, with guidance also in the next one. */
const placed = (slot: number, position: number, { guided = false, given = 0 } = {}): Placed => ({
  slot,
  uncondSlot: guided ? slot + 1 : undefined,
  label: 7,
  sampling: sampling({ given }),
  position,
});

const row = (slot: number, position: number, sequence = slot, condition = 7) => ({
  slot,
  position,
  sequence,
  condition,
});

describe('a pass', () => {
  test('has a row for each sequence, and two with guidance', () => {
    const [plain, guided] = [placed(4, 3), placed(0, 9, { guided: true })];
    expect(rowsNeeded([plain, guided])).toBe(3);
    const pass = planPass([plain, guided], 4, UNCONDITIONAL);
    expect(pass.rows).toEqual([row(4, 3), row(0, 9), row(1, 9, 0, UNCONDITIONAL)]);
    expect(pass.sequences).toMatchObject([
      { row: 0, uncondRow: undefined, sequence: 4 },
      { row: 1, uncondRow: 2, sequence: 0 },
    ]);
    expect(pass.repeats).toBe(true);
  });

  test('takes several given tokens of one that begins, as far as there are rows', () => {
    const begins = placed(0, 0, { guided: true, given: 5 });
    expect(rowsWanted([begins])).toBe(12);
    const pass = planPass([begins], 8, UNCONDITIONAL);
    expect(pass.rows).toEqual([
      ...[0, 1, 2, 3].map((position) => row(0, position)),
      ...[0, 1, 2, 3].map((position) => row(1, position, 0, UNCONDITIONAL)),
    ]);
    expect(pass.sequences).toEqual([]);
    expect(pass.moves.get(begins)).toBe(4);
    expect(pass.repeats).toBe(false);
  });

  test('draws once the last given token is in it', () => {
    const begins = placed(0, 4, { given: 5 });
    const pass = planPass([begins], 8, UNCONDITIONAL);
    expect(pass.rows).toEqual([row(0, 4), row(0, 5)]);
    expect(pass.sequences).toMatchObject([{ row: 1, sequence: 0 }]);
    expect(pass.repeats).toBe(false);
  });

  test('moves everybody on, whatever somebody else could use', () => {
    const [begins, runs] = [placed(0, 0, { given: 15 }), placed(1, 3)];
    const pass = planPass([begins, runs], 3, UNCONDITIONAL);
    expect(pass.moves).toEqual(
      new Map([
        [begins, 2],
        [runs, 1],
      ]),
    );
    expect(pass.sequences).toMatchObject([{ row: 2, sequence: 1 }]);
  });
});
