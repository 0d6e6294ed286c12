import { describe, expect, test } from 'vitest';
import { NO_ROW } from '../../kernels/lib/row-table.ts';
import { type Place, Placed } from '../../src/engine/placed.ts';
import { planPass, rowsNeeded, rowsOfWindows, rowsWanted } from '../../src/engine/plan-pass.ts';
import { sampling } from '../support/sampling.ts';

const UNCONDITIONAL = 99;

interface How extends Partial<Pick<Place, 'window'>> {
  readonly guided?: boolean;
  readonly given?: number;
  /** Tokens that it has already. */
  readonly has?: number;
}

/** A sequence in slot `slot`, with guidance also in the next one. */
function placed(
  slot: number,
  { guided = false, given = 0, window = 1, has = 0 }: How = {},
): Placed {
  const uncondSlot = guided ? slot + 1 : undefined;
  const one = new Placed({ slot, uncondSlot, condition: 7, sampling: sampling({ given }), window });
  one.submit(1, has);
  return one;
}

/** Rows are placed on the device. */
const row = (slot: number, sequence = slot, condition = 7) => ({
  ...{ slot, position: NO_ROW, sequence, condition },
});

describe('a pass', () => {
  test('has a row for each sequence, and two with guidance', () => {
    const [plain, guided] = [placed(4), placed(0, { guided: true })];
    expect(rowsNeeded([plain, guided])).toBe(3);
    const pass = planPass([plain, guided], 4, UNCONDITIONAL, 1);
    expect(pass.rows).toEqual([row(4), row(0), row(1, 0, UNCONDITIONAL)]);
    expect(pass.draws).toMatchObject([
      { row: 0, uncondRow: undefined },
      { row: 1, uncondRow: 2 },
    ]);
    expect(pass.windows).toEqual([
      { sequence: 4, row: 0, uncondRow: undefined, draw: 0, count: 1 },
      { sequence: 0, row: 1, uncondRow: 2, draw: 1, count: 1 },
    ]);
  });

  test('takes several given tokens of one that begins, as far as there are rows', () => {
    const begins = placed(0, { guided: true, given: 5 });
    expect(rowsWanted([begins], 1)).toBe(12);
    const pass = planPass([begins], 8, UNCONDITIONAL, 1);
    expect(pass.rows).toEqual([
      ...Array(4).fill(row(0)),
      ...Array(4).fill(row(1, 0, UNCONDITIONAL)),
    ]);
    expect(pass.counts.get(begins)).toBe(4);
    expect(planPass([placed(0, { given: 5, has: 4 })], 8, UNCONDITIONAL, 1).rows).toHaveLength(2);
  });

  test('has a window of rows for each sequence that has one', () => {
    const all = [placed(0, { window: 3 }), placed(1, { guided: true, window: 2 }), placed(3)];
    expect(rowsOfWindows(all, 1)).toBe(8);
    const pass = planPass(all, 8, UNCONDITIONAL, 1);
    expect(pass.windows).toEqual([
      { sequence: 0, row: 0, uncondRow: undefined, draw: 0, count: 3 },
      { sequence: 1, row: 3, uncondRow: 5, draw: 3, count: 2 },
      { sequence: 3, row: 7, uncondRow: undefined, draw: 5, count: 1 },
    ]);
    expect(pass.draws.map((draw) => [draw.row, draw.uncondRow])).toEqual([
      ...[0, 1, 2].map((own) => [own, undefined]),
      ...[
        [3, 5],
        [4, 6],
        [7, undefined],
      ],
    ]);
  });

  test('moves everybody on, and shares what is left, whatever somebody could use', () => {
    const all = [placed(0, { given: 15 }), placed(1, { window: 'auto' }), placed(2, { window: 2 })];
    const counts = (rows: number): number[] => [
      ...planPass(all, rows, UNCONDITIONAL, 4).counts.values(),
    ];
    expect(counts(3)).toEqual([1, 1, 1]);
    expect(counts(4)).toEqual([2, 1, 1]);
    expect(counts(8)).toEqual([3, 3, 2]);
    expect(counts(32)).toEqual([16, 4, 2]);
  });
});
