/** Measures tiles of kernels on a device and keeps those that are faster than the kernels' own choice. */
import type { Variant } from '../../kernels/kernel.ts';
import { DeviceError } from '../errors.ts';
import { Memory } from '../gpu/memory.ts';
import { type Stopwatch, stopwatch } from '../gpu/stopwatch.ts';
import type { DeviceWatch } from '../gpu/watch.ts';
import { familyOf, type Tile, type Tiles } from '../ops/tiles.ts';
import { type Candidate, candidatesOf, type Part } from './candidates.ts';
import { Inputs } from './inputs.ts';
import { askedTiles } from './keys.ts';
import { bestOf, inTurns, judge, judgeAll, type Turns } from './measure.ts';
import type { Tuned } from './table.ts';
import { buildTrial, disagreement, type Trial } from './trial.ts';
import { forcedOf, type Workload } from './workloads.ts';

/** Tiles worth measuring under a variant, by family. */
export type Families = Readonly<Record<string, (variant: Variant) => readonly object[]>>;

export interface TuneOptions {
  readonly families: Families;
  readonly variant: Variant;
  /** The tiles of the model; those of single shapes are ignored. */
  readonly tiles?: Tiles | undefined;
  /** Keys that need not be measured again. */
  readonly known?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
  /** Default: the best of the device. */
  readonly timer?: (memory: Memory) => Stopwatch;
  /** Called before each key, and at the end with none. */
  readonly onProgress?: (done: number, total: number, key?: string) => void;
  /** Called with each result as soon as it is there. */
  readonly onResult?: (key: string, result: Result) => void;
}

export interface Result extends Tuned {
  /** Tiles that were measured. */
  readonly measured: number;
  /** Tiles that the device did not take, or whose outputs did not agree with the own choice's. */
  readonly refused: readonly Tile[];
  /**
   * A tile that looked faster, and was not surely so when it was measured again, as on a machine that is
   * busy. Then `tile` is empty, and whoever keeps results should keep none for this key.
   */
  readonly unconfirmed?: Tile;
}

/** Largest mean squared error of a tile's outputs, relative to their mean square. */
const MOST_NMSE = 1e-6;
/** A tile is kept when it takes less than this share of the own choice's time, measured again. */
const KEPT_BELOW = 0.95;
/** Runs that a first look takes, the fastest of which counts. */
const LOOKS = 3;
/** Turns of a round, and rounds that have to agree on a tile before it is kept. */
const TURNS = 7;
const ROUNDS = 2;
/** Tiles that are slower than this on the first look are not looked at again. */
const HOPELESS = 1.5;

/**
 * Tunes every key `family shape` that the workloads' kernels ask for. A key that several workloads
 * have (a product for 2 and for 16 rows) gets one tile, by the sum of their times: what decides the
 * order of a sum must not depend on the number of rows.
 * @throws DeviceError when the device fails; the signal's reason when aborted. Results up to then stand.
 */
export async function tune(
  device: GPUDevice,
  workloads: readonly Workload[],
  options: TuneOptions,
): Promise<void> {
  const { families, known, signal, onProgress, onResult } = options;
  const { variant } = options;
  const forced = forcedOf(options.tiles);
  const asked = new Set(workloads.flatMap(({ define }) => askedTiles(define, variant, forced)));
  const keys = [...asked].filter((key) => families[familyOf(key)] && !known?.has(key));
  for (const [i, key] of keys.entries()) {
    signal?.throwIfAborted();
    onProgress?.(i, keys.length, key);
    const tiles = families[familyOf(key)]?.(variant) ?? [];
    const candidates = candidatesOf(workloads, variant, key, tiles, forced);
    const result = await tuneKey(device, workloads, candidates, options);
    onResult?.(key, result);
  }
  onProgress?.(keys.length, keys.length);
}

/** One key: the own choice is the first candidate. */
async function tuneKey(
  device: GPUDevice,
  workloads: readonly Workload[],
  candidates: readonly Candidate[],
  { signal, timer = stopwatch }: TuneOptions,
): Promise<Result> {
  const memory = new Memory(device);
  const bench = { memory, timer: timer(memory), watch: memory.watch, signal };
  const refused = new Set<Candidate>();
  const [own, ...others] = candidates;
  if (!own) throw new RangeError('a key that no workload has');
  const sums = new Map<Candidate, number>();
  try {
    for (const i of own.parts.keys()) {
      const contents = workloads[i]?.contents ?? new Map();
      const inputs = new Inputs(memory, contents);
      await compare(bench, inputs, candidates, i, refused, sums);
      inputs.destroy();
    }
    const ranked = others
      .filter((c) => !refused.has(c))
      .sort((a, b) => (sums.get(a) ?? Infinity) - (sums.get(b) ?? Infinity));
    const [best] = ranked;
    const result = { measured: others.length, refused: [...refused].map(({ tile }) => tile) };
    const ownUs = sums.get(own) ?? 0;
    if (!best || !((sums.get(best) ?? Infinity) < ownUs * KEPT_BELOW)) {
      return { ...result, tile: {}, ownUs, us: ownUs };
    }
    return { ...result, ...(await confirm(bench, workloads, [own, best], ownUs)) };
  } finally {
    bench.timer.destroy();
    memory.freeAll();
  }
}

interface Bench {
  readonly memory: Memory;
  readonly timer: Stopwatch;
  readonly watch: DeviceWatch;
  readonly signal: AbortSignal | undefined;
}

/** Runs the part of every candidate that belongs to one workload; adds to `refused` and `sums`. */
async function compare(
  bench: Bench,
  inputs: Inputs,
  candidates: readonly Candidate[],
  workload: number,
  refused: Set<Candidate>,
  sums: Map<Candidate, number>,
): Promise<void> {
  const [own] = candidates;
  let expected: Awaited<ReturnType<Trial['outputs']>> | undefined;
  let ownUs = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    bench.signal?.throwIfAborted();
    const part = candidate.parts.get(workload);
    if (!part || refused.has(candidate)) continue;
    const trial = await bench.watch.race(tryTrial(bench, inputs, part, candidate === own));
    if (!trial) {
      refused.add(candidate);
      continue;
    }
    try {
      const outputs = await bench.watch.race(trial.outputs());
      expected ??= outputs;
      if (!(disagreement(expected, outputs) <= MOST_NMSE)) {
        refused.add(candidate);
        continue;
      }
      const us = await bench.watch.race(
        bestOf(bench.timer, trial.program, LOOKS, ownUs * HOPELESS),
      );
      if (candidate === own) ownUs = us;
      sums.set(candidate, (sums.get(candidate) ?? 0) + us);
    } finally {
      trial.destroy();
    }
  }
}

/**
 * Measures both again, in rounds of turns; the first that does not say "faster" decides.
 * @param lookUs The own choice's time on the first look, which the other has to beat too: a machine
 * may be so busy that a whole round says nothing.
 */
async function confirm(
  bench: Bench,
  workloads: readonly Workload[],
  [own, best]: readonly [Candidate, Candidate],
  lookUs: number,
): Promise<Pick<Result, 'tile' | 'ownUs' | 'us' | 'unconfirmed'>> {
  const rounds: Turns[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Who begins changes from round to round.
    const isSwapped = round % 2 === 1;
    const [a, b] = await takeTurns(bench, workloads, isSwapped ? [best, own] : [own, best]);
    const turns: Turns = isSwapped ? [b, a] : [a, b];
    rounds.push(turns);
    if (judge(turns, KEPT_BELOW) !== 'faster') break;
  }
  const verdict = judgeAll(rounds, KEPT_BELOW);
  const ownUs = Math.min(lookUs, ...rounds.flatMap(([first]) => first));
  const us = Math.min(...rounds.flatMap(([, second]) => second));
  if (verdict === 'faster' && us < KEPT_BELOW * ownUs) return { tile: best.tile, ownUs, us };
  const stays = { tile: {}, ownUs, us: ownUs };
  return verdict === 'not faster' ? stays : { ...stays, unconfirmed: best.tile };
}

/** Times of two candidates in turns: sums over the workloads, turn by turn. */
async function takeTurns(
  bench: Bench,
  workloads: readonly Workload[],
  [a, b]: readonly [Candidate, Candidate],
): Promise<[number[], number[]]> {
  const sums: [number[], number[]] = [Array(TURNS).fill(0), Array(TURNS).fill(0)];
  for (const [i, part] of a.parts) {
    bench.signal?.throwIfAborted();
    const inputs = new Inputs(bench.memory, workloads[i]?.contents ?? new Map());
    const first = await bench.watch.race(trialOf(bench, inputs, part));
    const second = await bench.watch.race(trialOf(bench, inputs, b.parts.get(i) ?? part));
    const programs = [first.program, second.program] as const;
    const times = await bench.watch.race(inTurns(bench.timer, programs, TURNS));
    for (const [of, list] of times.entries()) {
      for (const [turn, us] of list.entries()) {
        const sum = sums[of];
        if (sum) sum[turn] = (sum[turn] ?? 0) + us;
      }
    }
    first.destroy();
    second.destroy();
    inputs.destroy();
  }
  return sums;
}

function trialOf({ memory }: Bench, inputs: Inputs, part: Part): Promise<Trial> {
  const standIn = (t: Parameters<Part['ownOf']>[0]) => inputs.standIn(part.ownOf(t));
  return buildTrial(memory, inputs, { ...part, standIn });
}

/** The trial of a tile, or undefined when the device does not take its kernels. */
async function tryTrial(
  bench: Bench,
  inputs: Inputs,
  part: Part,
  isOwn: boolean,
): Promise<Trial | undefined> {
  try {
    return await trialOf(bench, inputs, part);
  } catch (error) {
    if (isOwn || (error instanceof DeviceError && error.problem === 'lost')) throw error;
    return undefined;
  }
}
