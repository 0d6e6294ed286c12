/** Which rows a pass has: of every running sequence as many positions as there is room for. Pure. */
import { NO_ROW, type Row } from '../../kernels/lib/row-table.ts';
import type { DrawingSequence } from '../../kernels/sampler/sequence-table.ts';
import type { Window } from '../../kernels/sampler/window-table.ts';
import type { Placed } from './placed.ts';

/** Rows and draws, and the positions of each sequence; they are placed on the device. */
export interface PlannedPass {
  readonly rows: readonly Row[];
  readonly draws: readonly DrawingSequence[];
  readonly windows: readonly Window[];
  /** Positions of each sequence. */
  readonly counts: ReadonlyMap<Placed, number>;
}

/** Fewest rows of a pass in which all of them move on. */
export const rowsNeeded = (placed: readonly Placed[]): number =>
  placed.reduce((sum, { rowsAPosition }) => sum + rowsAPosition, 0);

/** As many of them, from the first on, as so many rows are enough for. */
export function leading(placed: readonly Placed[], rows: number): readonly Placed[] {
  let left = rows;
  const end = placed.findIndex(({ rowsAPosition }) => {
    left -= rowsAPosition;
    return left < 0;
  });
  return end < 0 ? placed : placed.slice(0, end);
}

/**
 * Rows of the windows of sequences.
 * @param auto Window of those that leave it to the engine.
 */
export const rowsOfWindows = (placed: readonly Placed[], auto: number): number =>
  placed.reduce((sum, one) => sum + windowOf(one, auto) * one.rowsAPosition, 0);

/** Rows that passes have a use for: those of windows, and all of given tokens. */
export const rowsWanted = (placed: readonly Placed[], auto: number): number =>
  placed.reduce((sum, one) => sum + wantedOf(one, auto) * one.rowsAPosition, 0);

const windowOf = ({ window }: Placed, auto: number): number => (window === 'auto' ? auto : window);

const wantedOf = (one: Placed, auto: number): number =>
  Math.max(windowOf(one, auto), one.positionsLeft);

/**
 * Fills the rows of a pass: each sequence has at least one position, and what is left goes round. Rows of
 * one sequence at several positions attend causally, to the same bits as one by one.
 * @param rows Those of the pass, at least `rowsNeeded`.
 * @param unconditional Condition of the rows that have none.
 */
export function planPass(
  placed: readonly Placed[],
  rows: number,
  unconditional: number,
  auto: number,
): PlannedPass {
  const counts = shared(placed, rows, auto);
  const table: Row[] = [];
  const draws: DrawingSequence[] = [];
  const windows: Window[] = [];
  for (const [{ slot, uncondSlot, condition, sampling }, count] of counts) {
    const first = { row: table.length, draw: draws.length };
    const stand = (where: number, its: number): void => {
      const idle = { slot: where, position: NO_ROW, sequence: slot, condition: its };
      for (let i = 0; i < count; i++) table.push(idle);
    };
    stand(slot, condition);
    const uncondRow = uncondSlot === undefined ? undefined : table.length;
    if (uncondSlot !== undefined) stand(uncondSlot, unconditional);
    for (let i = 0; i < count; i++) {
      const uncond = uncondRow === undefined ? undefined : uncondRow + i;
      draws.push({ ...sampling, row: first.row + i, uncondRow: uncond });
    }
    windows.push({ ...first, sequence: slot, uncondRow, count });
  }
  return { rows: table, draws, windows, counts };
}

/** Positions of each: one more for each that wants it, again and again, until rows run out. */
function shared(placed: readonly Placed[], rows: number, auto: number): Map<Placed, number> {
  const counts = new Map(placed.map((one) => [one, 1]));
  let spare = rows - rowsNeeded(placed);
  for (let grew = true; grew; ) {
    grew = false;
    for (const [one, count] of counts) {
      if (count >= wantedOf(one, auto) || spare < one.rowsAPosition) continue;
      counts.set(one, count + 1);
      spare -= one.rowsAPosition;
      grew = true;
    }
  }
  return counts;
}
