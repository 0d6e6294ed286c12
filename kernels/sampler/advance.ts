import {
  assertGrid,
  type Binding,
  declare,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { NO_TOKEN } from '../lib/finite.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { NO_ROW, rowLib, rowTableBinding } from '../lib/row-table.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { drawnBinding, drawnLib } from './drawn.ts';
import { progressBinding, windowLib, windowTableBinding } from './window-table.ts';

export interface AdvanceParams {
  /** Rows of the pass; at most so many draws and windows. */
  readonly rows: number;
  /** Lines of `tokens` and of `progress`: sequences that there may be at once. */
  readonly capacity: number;
  /** Tokens in a grid. */
  readonly blockSize: number;
  /** Tokens in a row of the grid. */
  readonly gridSize: number;
  /** Condition tokens before the first image token. */
  readonly clsTokenNum: number;
  readonly variant?: Variant | undefined;
}

export type AdvanceBindings = {
  readonly windowTable: Binding<'in'>;
  readonly rowTable: Binding<'inout'>;
  readonly drawn: Binding<'inout'>;
  readonly tokens: Binding<'inout'>;
  readonly progress: Binding<'inout'>;
};

/**
 * Takes what was drawn in a pass, and places the rows of the next: a step of Jacobi's iteration for
 * token[i] = f_i(tokens before i), whose solution is what drawing one by one gives, because the noise
 * of a position is a function of the seed and the position alone.
 *
 * The rows of a window stand at the first token of their sequence that is not known and at those after
 * it; each but the first was computed from guesses, which stand in the line of tokens. The first draw is
 * right. Each further one is right if the guess before it is what was drawn there; a given token is right
 * and stays. What is right is known from now on; the other draws are the guesses of the next pass, and
 * where nothing was drawn yet, the token above is (in the first row of the grid the one to the left).
 * Rows past the end of the grid are idle. Draws are forgotten: doing it again changes nothing, but for
 * windows of another size.
 *
 * NO_TOKEN, for logits that are not finite, is written where it is right, over a given token too, and is
 * never a guess.
 *
 * Shapes: windowTable u32 [rows, 5] (`Window`) of `packWindows`: its sequence, first row, first row without
 * condition, first draw and number of positions. rowTable u32 [rows, 4] (`Row`) of `packRows`; drawn u32
 * [rows], NOT_DRAWN at first; tokens u32 [capacity, blockSize]; progress u32 [capacity, 4] (`ProgressLine`),
 * lines that begin as `packStart` makes them and are read by `progressOf`. One workgroup per window; one
 * without positions returns.
 * Source: Santilli et al. 2023 (arXiv:2305.10427) for text; Teng et al. 2024 (arXiv:2410.01699), So et
 * al. 2025 (arXiv:2510.24211) for images, the latter with the same coupling by noise.
 */
export function advance(params: AdvanceParams): Kernel<AdvanceBindings> {
  const identity = assertParams('advance', params, {
    rows: rule.size,
    capacity: rule.size,
    blockSize: rule.size,
    gridSize: rule.size,
    clsTokenNum: rule.size,
    variant: rule.optional(rule.variant),
  });
  const { rows, capacity, blockSize, gridSize, clsTokenNum, variant = PORTABLE } = params;
  const bindings: AdvanceBindings = {
    windowTable: windowTableBinding(rows),
    rowTable: rowTableBinding('inout', rows),
    drawn: drawnBinding(rows),
    tokens: { role: 'inout', dtype: 'u32', shape: [capacity, blockSize] },
    progress: progressBinding('inout', capacity),
  };
  assertIndexable('advance', bindings);
  // A window has few positions, and one invocation where a barrier costs more than the work it shares.
  const size = variant.reduce === 'serial' ? 1 : 64;
  const code = wgsl`${rowLib}${windowLib}
${declare(bindings)}
const NO_TOKEN = ${NO_TOKEN}u;
const NO_ROW = ${NO_ROW}u;
const BLOCK = ${blockSize}u;${drawnLib}
// Draws that do not count: zero at first, as workgroup memory is.
var<workgroup> dropped: atomic<u32>;

// Where the token stands that is the guess at a step, when those before \`end\` are there.
fn source_of(step: u32, end: u32) -> u32 {
  var source = step;
  while (source >= end) { source = select(end - 1u, source - ${gridSize}u, source >= ${gridSize}u); }
  return source;
}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let window = windowTable[group.x];
  if (window.count == 0u) { return; }
  let line = window.sequence * BLOCK;
  let before = progress[window.sequence];
  let first = before.known;
  let draws = select(min(window.count, BLOCK - first), 0u, drawn[window.draw] == NOT_DRAWN);
  for (var j = lane; j < draws; j += ${size}u) {
    let step = first + j;
    let is_right = step < before.given || tokens[line + step] == drawn[window.draw + j];
    if (!is_right) { atomicMax(&dropped, draws - 1u - j); }
  }
  workgroupBarrier();
  let taken = draws - atomicLoad(&dropped);
  for (var j = lane; j < draws; j += ${size}u) {
    let step = first + j;
    var token = drawn[window.draw + j];
    drawn[window.draw + j] = NOT_DRAWN;
    if (token == NO_TOKEN && j >= taken) { token = 0u; }
    let is_new = token != GIVEN && step >= before.given;
    if (is_new || token == NO_TOKEN) { tokens[line + step] = token; }
  }
  storageBarrier();
  let known = first + taken;
  let end = max(before.guessed, first + draws);
  // The last draw is the guess before no row of this pass.
  let wanted = min(known + window.count - 1u, BLOCK);
  for (var step = end + lane; step < wanted; step += ${size}u) {
    var guess = 0u;
    if (end > 0u) { guess = tokens[line + source_of(step, end)]; }
    tokens[line + step] = guess;
  }
  for (var j = lane; j < window.count; j += ${size}u) {
    let step = known + j;
    let position = select(NO_ROW, step + ${clsTokenNum - 1}u, step < BLOCK);
    rowTable[window.row + j].position = position;
    if (window.uncond_row != NO_ROW) { rowTable[window.uncond_row + j].position = position; }
  }
  if (lane > 0u) { return; }
  let passes = before.passes + select(0u, 1u, draws > 0u);
  progress[window.sequence] = Progress(known, max(end, wanted), before.given, passes);
}`;
  return {
    ...identity,
    label: `advance ${rows} rows`,
    code,
    bindings,
    workgroups: assertGrid(`advance: ${rows} rows`, [rows, 1, 1]),
  };
}
