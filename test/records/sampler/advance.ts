import { NO_TOKEN } from '../../../kernels/lib/finite.ts';
import { NO_ROW, ROW_WORDS } from '../../../kernels/lib/row-table.ts';
import { type AdvanceParams, advance as kernel } from '../../../kernels/sampler/advance.ts';
import { GIVEN, NOT_DRAWN } from '../../../kernels/sampler/drawn.ts';
import { packWindows, type Window } from '../../../kernels/sampler/window-table.ts';
import { type AdvanceState, advance as oracle } from '../../oracle/advance.ts';
import { uniform } from '../../support/random.ts';
import { VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';

interface Scene {
  readonly windows: readonly Window[];
  readonly state: AdvanceState;
}

/** Few tokens there are, so that many guesses are right. */
const VOCAB = 3;

/** Windows of any size at any place, with and without draws, guidance and given tokens. */
function sceneOf(params: AdvanceParams): Scene {
  const { rows, capacity, blockSize, gridSize, clsTokenNum } = params;
  const next = uniform(rows * 1000 + capacity * 100 + blockSize * 10 + gridSize + clsTokenNum);
  const below = (n: number): number => Math.floor(next() * n);
  const positions = Array<number>(rows).fill(NO_ROW);
  const drawn = Array<number>(rows).fill(NOT_DRAWN);
  const tokens = Array.from({ length: capacity }, () =>
    Array.from({ length: blockSize }, () => below(VOCAB)),
  );
  const progress: AdvanceState['progress'] = [];
  const windows: Window[] = [];
  let [row, draw] = [0, 0];
  for (let sequence = 0; sequence < capacity; sequence++) {
    // One in five has just begun, one in five is full; given tokens end before, in or after the window.
    const place = below(5);
    const known = place === 0 ? 0 : place === 1 ? blockSize : below(blockSize + 1);
    const given = below(3) === 0 ? Math.min(blockSize, Math.max(0, known + below(6) - 2)) : 0;
    const left = rows - row;
    const isGuided = below(2) === 0 && left > 1;
    const count = Math.min(1 + below(9), isGuided ? Math.floor(left / 2) : left);
    // A window may just have become larger: then fewer tokens are guessed than it has positions.
    const guessed = Math.min(blockSize, Math.max(given, known + below(count + 1)));
    progress.push({ known, guessed, given, passes: below(100) });
    if (count === 0) continue;
    const uncondRow = isGuided ? row + count : undefined;
    windows.push({ sequence, row, uncondRow, draw, count });
    const wasRun = below(4) > 0 && guessed >= Math.min(blockSize, known + count - 1);
    for (let j = 0; wasRun && j < count && known + j < blockSize; j++) {
      const token = below(12) === 0 ? NO_TOKEN : below(VOCAB);
      drawn[draw + j] = known + j < given && below(3) > 0 ? GIVEN : token;
    }
    row += count * (isGuided ? 2 : 1);
    draw += count;
  }
  return { windows, state: { positions, drawn, tokens, progress } };
}

const rowTableOf = ({ positions }: AdvanceState): number[] =>
  positions.flatMap((position, row) => [100 + row, position, 200 + row, 300 + row]);

const progressTable = ({ progress }: AdvanceState): number[] =>
  progress.flatMap(({ known, guessed, given, passes }) => [known, guessed, given, passes]);

const of = (rows: number, blockSize: number, gridSize: number, clsTokenNum = 1): AdvanceParams => ({
  ...{ rows, capacity: Math.ceil(rows / 3), blockSize, gridSize, clsTokenNum },
});

export const advance: KernelRecord<AdvanceParams> = record<
  AdvanceParams,
  Record<'windowTable' | 'rowTable' | 'drawn' | 'tokens' | 'progress', ArrayLike<number>>
>({
  name: 'advance',
  kernel,
  shown: { rows: 16, capacity: 32, blockSize: 576, gridSize: 24, clsTokenNum: 1 },
  suites: [
    {
      variants: VARIANTS,
      cases: [
        of(1, 1, 1),
        of(2, 16, 4),
        ...[3, 4, 5, 6, 7, 8].map((gridSize) => of(60, gridSize * gridSize, gridSize)),
        of(64, 16, 4, 3),
        of(300, 9, 3),
      ],
      few: 3,
    },
  ],
  texts: [of(6, 16, 4)],
  inputs: {
    windowTable: (params) => packWindows(sceneOf(params).windows, params.rows),
    rowTable: (params) => rowTableOf(sceneOf(params).state),
    drawn: (params) => sceneOf(params).state.drawn,
    tokens: (params) => sceneOf(params).state.tokens.flat(),
    progress: (params) => progressTable(sceneOf(params).state),
  },
  oracle(params, { rowTable }) {
    const { windows, state } = sceneOf(params);
    const after = oracle(params, windows, state);
    const rows = Array.from(rowTable);
    for (const [row, at] of after.positions.entries()) rows[row * ROW_WORDS + 1] = at;
    return {
      rowTable: rows,
      drawn: after.drawn,
      tokens: after.tokens.flat(),
      progress: progressTable(after),
    };
  },
  tolerance: () => 'equal',
});
