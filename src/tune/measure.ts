/** Times of programs, and when one is surely faster than another. */
import type { Program } from '../gpu/program.ts';
import type { Stopwatch } from '../gpu/stopwatch.ts';

/** A run takes at least this long, so that starting it does not count. */
const LEAST_US = 2000;
const MOST_REPEATS = 64;
/** Runs of one program stop after this, for convolutions on software adapters. */
const ENOUGH_US = 1_000_000;

/** Microseconds of one run of a program, `times` in one pass. */
async function time(timer: Stopwatch, { encode }: Program, times: number): Promise<number> {
  const us = await timer.time((pass) => {
    for (let i = 0; i < times; i++) encode(pass);
  });
  return us / times;
}

/** The fastest of some runs, microseconds; two that take longer than `most` are enough. */
export async function bestOf(
  timer: Stopwatch,
  program: Program,
  runs: number,
  most: number,
): Promise<number> {
  let once = await time(timer, program, 1);
  // Again, because another process may have had the processor.
  if (once > most) once = Math.min(once, await time(timer, program, 1));
  if (once > most) return once;
  const repeats = repeatsFor(once);
  const affordable = Math.max(1, Math.min(runs, Math.floor(ENOUGH_US / (once * repeats))));
  let best = repeats === 1 ? once : Number.POSITIVE_INFINITY;
  for (let run = 0; run < affordable; run++) {
    best = Math.min(best, await time(timer, program, repeats));
  }
  return best;
}

const repeatsFor = (us: number): number =>
  Math.max(1, Math.min(MOST_REPEATS, Math.ceil(LEAST_US / Math.max(1, us))));

/** Times of two programs that run in turns, so that nothing that changes meanwhile favours one. */
export async function inTurns(
  timer: Stopwatch,
  programs: readonly [Program, Program],
  turns: number,
): Promise<[number[], number[]]> {
  const [a, b] = programs;
  const repeats = repeatsFor(await time(timer, a, 1));
  const times: [number[], number[]] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    times[0].push(await time(timer, a, repeats));
    times[1].push(await time(timer, b, repeats));
  }
  return times;
}

/**
 * Whether the second of two programs that ran in turns takes less than `share` of the time of the
 * first: its fastest run does, and so does the middle one of the turns.
 */
export function isFaster(own: readonly number[], other: readonly number[], share: number): boolean {
  const ratios = own.map((us, i) => (other[i] ?? us) / us).sort((a, b) => a - b);
  const middle = ratios[Math.floor(ratios.length / 2)] ?? 1;
  return Math.min(...other) < share * Math.min(...own) && middle < share;
}
