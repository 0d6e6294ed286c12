/** Which rows a pass has: every running sequence once, or several given tokens of one that begins. Pure. */
import type { Row } from '../../kernels/lib/row-table.ts';
import type { DrawingSequence, Sampling } from '../../kernels/sampler/sequence-table.ts';

/** A sequence in its slots. */
export interface Placed {
  /** Its slot, and its line of tokens. */
  readonly slot: number;
  /** The slot of its rows without condition, where it is guided. */
  readonly uncondSlot: number | undefined;
  readonly label: number;
  /** `given` tokens are in its line already. */
  readonly sampling: Sampling;
  /** Positions in the KV cache; from `given` on also the number of its tokens. */
  position: number;
}

/** Rows, draws, and how far each sequence gets. */
export interface PlannedPass {
  readonly rows: readonly Row[];
  readonly sequences: readonly DrawingSequence[];
  /** Positions that each sequence moves on in one step. */
  readonly moves: ReadonlyMap<Placed, number>;
  /** Whether the pass may be repeated as it is: rows that draw move on by themselves. */
  readonly repeats: boolean;
}

/** Rows that passes want for sequences: one for each position, two with guidance. */
export function rowsWanted(placed: readonly Placed[]): number {
  return placed.reduce((sum, p) => sum + positionsLeft(p) * rowsAPosition(p), 0);
}

/** Fewest rows of a pass in which all of them move on. */
export const rowsNeeded = (placed: readonly Placed[]): number =>
  placed.reduce((sum, p) => sum + rowsAPosition(p), 0);

const rowsAPosition = ({ uncondSlot }: Placed): number => (uncondSlot === undefined ? 1 : 2);

/** Positions that are known: those of given tokens, and the one that draws next. */
const positionsLeft = ({ position, sampling }: Placed): number =>
  Math.max(0, sampling.given - position) + 1;

/**
 * Fills the rows of a pass. Sequences are asked in their order; each moves on by at least one position.
 * Rows of one sequence at several positions attend causally, to the same bits as one by one.
 * @param rows Those of the pass, at least `rowsNeeded`.
 * @param unconditional Class of the rows without condition.
 */
export function planPass(
  placed: readonly Placed[],
  rows: number,
  unconditional: number,
): PlannedPass {
  let spare = rows - rowsNeeded(placed);
  const table: Row[] = [];
  const sequences: DrawingSequence[] = [];
  const moves = new Map<Placed, number>();
  for (const one of placed) {
    const { slot, uncondSlot, label, sampling, position } = one;
    const more = Math.floor(spare / rowsAPosition(one));
    const count = Math.min(positionsLeft(one), 1 + more);
    spare -= (count - 1) * rowsAPosition(one);
    moves.set(one, count);
    const stand = (where: number, condition: number): number => {
      for (let i = 0; i < count; i++) {
        table.push({ slot: where, position: position + i, sequence: slot, condition });
      }
      return table.length - 1;
    };
    const row = stand(slot, label);
    const uncondRow = uncondSlot === undefined ? undefined : stand(uncondSlot, unconditional);
    if (position + count > sampling.given) {
      sequences.push({ ...sampling, row, uncondRow, sequence: slot });
    }
  }
  const repeats = sequences.length === placed.length && [...moves.values()].every((n) => n === 1);
  return { rows: table, sequences, moves, repeats };
}
