/** The window that pays: tokens a pass against milliseconds a pass. Pure. */
import type { GptConfig } from '../models/gpt-config.ts';
import { tokensAPass } from './window-rates.ts';

/** Most rows of a pass, unless there are more slots. */
export const MOST_ROWS = 64;

/** Windows that are looked at. */
const WINDOWS = [1, 2, 4, 8, 16, 32, 64];

/** Passes of a program after which their time is known: the first ones look slow, because waiting counts. */
const KNOWN_PASSES = 24;

/** A program that is built, and what its passes took so far. */
export interface BuiltRows {
  readonly rows: number;
  readonly passes: number;
  readonly msPerPass: number | undefined;
}

/** What a choice of a window depends on. */
export interface WindowChoice {
  readonly config: Pick<GptConfig, 'dim'>;
  /** Rows that there can be programs for, in order. */
  readonly counts: readonly number[];
  readonly built: readonly BuiltRows[];
  /** Rows of a pass with a window; those that no pass can have are not looked at. */
  rowsOf(window: number): number;
}

/**
 * The window with the most tokens a millisecond, the smaller of two that are alike: among programs that are
 * built, or all where none is. The program without windows runs first when its time is not known: what
 * rows cost on another adapter than the one measured must show.
 */
export function bestWindow({ config, counts, built, rowsOf }: WindowChoice): number {
  const isKnown = ({ passes }: BuiltRows): boolean => passes >= KNOWN_PASSES;
  const least = built.find(({ rows }) => rows === counts.find((n) => n >= rowsOf(1)));
  if (least && !isKnown(least)) return 1;
  const usable = built.some(({ rows }) => rows >= rowsOf(1))
    ? built.map(({ rows }) => rows)
    : counts;
  const measured = built
    .filter(isKnown)
    .flatMap(({ rows, msPerPass: ms }) => (ms === undefined ? [] : [{ rows, ms }]));
  let best = { window: 1, rate: 0 };
  for (const window of WINDOWS) {
    const fitting = usable.filter((n) => n >= rowsOf(window));
    if (fitting.length === 0) continue;
    const rate = tokensAPass(window) / passMs(config, Math.min(...fitting), measured);
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

/** Time of a pass by its rows, relative to two rows. Beyond 16 nothing was measured: in proportion. */
function passCost({ dim }: Pick<GptConfig, 'dim'>, rows: number): number {
  const [, share] = FOURTEEN_ROWS.findLast(([width]) => width <= dim) ?? [768, 0.36];
  return rows <= 16 ? 1 + share * (Math.max(0, rows - 2) / 14) : ((1 + share) * rows) / 16;
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
