/** Times of programs, and when one is surely faster than another. */
import type { Program } from '../gpu/program.ts';
import type { Stopwatch } from '../gpu/stopwatch.ts';

/** A run takes at least this long, so that starting it does not count. */
const LEAST_US = 2000;
const MOST_REPEATS = 64;
/** Looks that tell how often a program is repeated. */
const PROBES = 3;
/** Runs of one program stop after this, for convolutions on software adapters. */
const ENOUGH_US = 1_000_000;

/** Microseconds of one run of a program, `times` in one pass. */
async function time(timer: Stopwatch, { encode }: Program, times: number): Promise<number> {
  const us = await timer.time((pass) => {
    for (let i = 0; i < times; i++) encode(pass);
  });
  return us / times;
}

/**
 * The fastest run of each of several programs, microseconds. They run in turns, back and forth, one after
 * the other without a pause, so that nothing that changes meanwhile favours one of them. Of those that
 * take more than `hopeless` times as long as the first, two runs are enough.
 */
export async function looksInTurns(
  timer: Stopwatch,
  programs: readonly Program[],
  { turns, hopeless }: { readonly turns: number; readonly hopeless: number },
): Promise<number[]> {
  const looks: Look[] = [];
  for (const program of programs) {
    const most = (looks[0]?.best ?? Number.POSITIVE_INFINITY) * hopeless;
    let once = await time(timer, program, 1);
    // Again, because another process may have had the processor.
    if (once > most) once = Math.min(once, await time(timer, program, 1));
    const repeats = repeatsFor(once);
    const affordable = Math.max(1, Math.floor(ENOUGH_US / (once * repeats)));
    looks.push({ program, repeats, runs: once > most ? 0 : affordable, best: once });
  }
  for (let turn = 0; turn < turns; turn++) {
    for (const look of turn % 2 === 0 ? looks : looks.toReversed()) {
      if (look.runs <= turn) continue;
      const us = await time(timer, look.program, look.repeats);
      // Of a short program alone, starting it counts.
      look.best = turn === 0 && look.repeats > 1 ? us : Math.min(look.best, us);
    }
  }
  return looks.map(({ best }) => best);
}

interface Look {
  readonly program: Program;
  /** How often it runs in one go. */
  readonly repeats: number;
  /** Turns that it takes part in. */
  readonly runs: number;
  best: number;
}

const repeatsFor = (us: number): number =>
  Math.max(1, Math.min(MOST_REPEATS, Math.ceil(LEAST_US / Math.max(1, us))));

/** How often a program runs in one go, from the fastest of some looks: a slow look says too few. */
async function repeatsOf(timer: Stopwatch, program: Program): Promise<number> {
  let once = Number.POSITIVE_INFINITY;
  for (let look = 0; look < PROBES; look++) once = Math.min(once, await time(timer, program, 1));
  return repeatsFor(once);
}

/**
 * Times of two programs that run in turns, so that nothing that changes meanwhile favours one: a turn
 * is a, b, b, a, and of each the faster of its two runs counts, because another process may have had
 * the processor.
 */
export async function inTurns(
  timer: Stopwatch,
  programs: readonly [Program, Program],
  turns: number,
): Promise<[number[], number[]]> {
  const [a, b] = programs;
  const [ofA, ofB] = [await repeatsOf(timer, a), await repeatsOf(timer, b)];
  const times: [number[], number[]] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    const [a1, b1] = [await time(timer, a, ofA), await time(timer, b, ofB)];
    const [b2, a2] = [await time(timer, b, ofB), await time(timer, a, ofA)];
    times[0].push(Math.min(a1, a2));
    times[1].push(Math.min(b1, b2));
  }
  return times;
}

/** What times in turns say of the second of two programs; `unsure`: they contradict each other. */
export type Verdict = 'faster' | 'not faster' | 'unsure';

/** Times of two programs, turn by turn. */
export type Turns = readonly [own: readonly number[], other: readonly number[]];

/**
 * Whether the other program surely takes less than `share` of the time of the own one. Its fastest run
 * does, and so do the turns but for a quarter, whose ratios differ by less than what is gained.
 */
export function judge([own, other]: Turns, share: number): Verdict {
  const ratios = ratiosOf([own, other]);
  const middle = middleOf(ratios);
  if (!(middle < share)) return 'not faster';
  const spared = Math.floor(ratios.length / 4);
  const [low = 0, high = Infinity] = [ratios[spared], ratios[ratios.length - 1 - spared]];
  const isFaster = Math.min(...other) < share * Math.min(...own) && high < share;
  return isFaster && isStable(low, high, middle) ? 'faster' : 'unsure';
}

/** What rounds of turns say together; `unsure` where they do not agree. */
export function judgeAll(rounds: readonly Turns[], share: number): Verdict {
  const [first, ...others] = rounds.map((turns) => judge(turns, share));
  if (others.some((verdict) => verdict !== first)) return 'unsure';
  if (first !== 'faster') return first ?? 'unsure';
  const middles = rounds.map((turns) => middleOf(ratiosOf(turns)));
  const [low, high] = [Math.min(...middles), Math.max(...middles)];
  return isStable(low, high, high) ? 'faster' : 'unsure';
}

/** Ratios that differ by less than a program that takes `ratio` of the time gains. */
const isStable = (low: number, high: number, ratio: number): boolean => high / low < 1 / ratio;

/** Other to own, the smallest first. */
const ratiosOf = ([own, other]: Turns): number[] =>
  own.map((us, i) => (other[i] ?? us) / us).sort((a, b) => a - b);

const middleOf = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? 1;
