/** The window that pays: tokens a pass against milliseconds a pass. Pure. */
import type { GptConfig } from '../models/gpt-config.ts';
import { tokensAPass } from './window-rates.ts';

/** Most rows of a pass, unless there are more slots. */
export const MOST_ROWS = 64;

/** Windows that are looked at. */
const WINDOWS = [1, 2, 4, 8, 16, 32, 64];

/** What a choice of a window depends on. */
export interface WindowChoice {
  /** Rows of the program that runs with a window; undefined where there is none. */
  rowsOf(window: number): number | undefined;
  /** Milliseconds of its passes, or anything in proportion. */
  msOf(rows: number): number;
}

/** The window with the most tokens a millisecond; the smaller of two that are alike. */
export function bestWindow({ rowsOf, msOf }: WindowChoice): number {
  let best = { window: 1, rate: 0 };
  for (const window of WINDOWS) {
    const rows = rowsOf(window);
    if (rows === undefined) continue;
    const rate = tokensAPass(window) / msOf(rows);
    if (rate > best.rate) best = { window, rate };
  }
  return best.window;
}

/**
 * What 14 more rows add to a pass of two, by the width of the decoder: GPT-B to GPT-3B on one NVIDIA H200
 * with f16 weights (docs/performance.md has the milliseconds).
 */
const FOURTEEN_ROWS: readonly (readonly [dim: number, share: number])[] = [
  [768, 0.36],
  [1024, 0.53],
  [1280, 0.78],
  [1536, 0.87],
  [3200, 2.29],
];

/** Time of a pass by its rows, relative to two rows, where nothing was measured. */
export function passCost({ dim }: Pick<GptConfig, 'dim'>, rows: number): number {
  const [, share] = FOURTEEN_ROWS.findLast(([width]) => width <= dim) ?? [768, 0.36];
  return 1 + share * (Math.max(0, rows - 2) / 14);
}

/** A program that ran, and how long its passes took. */
export interface MeasuredRows {
  readonly rows: number;
  readonly ms: number;
}

/** Time of a pass: what was measured, else what the nearest measurement makes likely. */
export function passMs(
  config: Pick<GptConfig, 'dim'>,
  rows: number,
  measured: readonly MeasuredRows[],
): number {
  const distance = (other: number): number => Math.abs(Math.log2(other / rows));
  const [nearest] = measured.toSorted((a, b) => distance(a.rows) - distance(b.rows));
  const cost = passCost(config, rows);
  return nearest ? (nearest.ms * cost) / passCost(config, nearest.rows) : cost;
}
