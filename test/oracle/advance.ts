/** Oracle of `advance`: what one pass of several positions makes known, told as one would by hand. */
import { NO_TOKEN } from '../../kernels/lib/finite.ts';
import { NO_ROW } from '../../kernels/lib/row-table.ts';
import type { AdvanceParams } from '../../kernels/sampler/advance.ts';
import { GIVEN, NOT_DRAWN } from '../../kernels/sampler/drawn.ts';
import type { ProgressLine, Window } from '../../kernels/sampler/window-table.ts';

export interface AdvanceState {
  /** Positions of the rows. */
  readonly positions: number[];
  readonly drawn: number[];
  /** Lines of tokens. */
  readonly tokens: number[][];
  readonly progress: ProgressLine[];
}

/** What `before` becomes, which stays as it is. */
export function advance(
  { blockSize, gridSize, clsTokenNum }: AdvanceParams,
  windows: readonly Window[],
  before: AdvanceState,
): AdvanceState {
  const { positions, drawn, tokens, progress } = structuredClone(before);
  for (const { sequence, row, uncondRow, draw, count } of windows) {
    const line = tokens[sequence]!;
    const { known, guessed, given, passes } = progress[sequence]!;
    const all = drawn.slice(draw, draw + Math.min(count, blockSize - known));
    const draws = all[0] === NOT_DRAWN ? [] : all;

    // As long as the token before a draw is the one that was drawn there, or given, the draw is right.
    let right = 0;
    for (const [j, token] of draws.entries()) {
      right++;
      if (known + j >= given && line[known + j] !== token) break;
    }
    for (const [j, token] of draws.entries()) {
      const step = known + j;
      if (token === NO_TOKEN) {
        if (j < right) line[step] = NO_TOKEN;
        else if (step >= given) line[step] = 0;
      } else if (token !== GIVEN && step >= given) line[step] = token;
    }
    drawn.fill(NOT_DRAWN, draw, draw + draws.length);

    const next = known + right;
    let filled = Math.max(guessed, known + draws.length);
    const wanted = Math.min(next + count - 1, blockSize);
    for (; filled < wanted; filled++) {
      line[filled] = (filled < gridSize ? line[filled - 1] : line[filled - gridSize]) ?? 0;
    }
    const moved = passes + (draws.length > 0 ? 1 : 0);
    progress[sequence] = { known: next, guessed: filled, given, passes: moved };
    for (let j = 0; j < count; j++) {
      const at = next + j < blockSize ? next + j + clsTokenNum - 1 : NO_ROW;
      positions[row + j] = at;
      if (uncondRow !== undefined) positions[uncondRow + j] = at;
    }
  }
  return { positions, drawn, tokens, progress };
}
