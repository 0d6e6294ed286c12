/** Measures tiles of kernels on a device and keeps those that are faster than the kernels' own choice. */
import type { Variant } from '../../kernels/kernel.ts';
import { DeviceError } from '../errors.ts';
import { Memory } from '../gpu/memory.ts';
import { keepBusy, warmUsOf } from '../gpu/sample.ts';
import { type Stopwatch, stopwatch } from '../gpu/stopwatch.ts';
import { adapterFacts } from '../gpu/variants.ts';
import type { DeviceWatch } from '../gpu/watch.ts';
import type { Called } from '../ops/operation.ts';
import { familyOf, type Tile } from '../ops/tiles.ts';
import { type CallsOfKey, callsByKey, candidatesOf } from './candidates.ts';
import { Inputs } from './inputs.ts';
import { inTurns, judge, judgeAll, looksInTurns, type Turns } from './measure.ts';
import type { Tuned } from './table.ts';
import { buildTrial, disagreement, type Trial, type Values } from './trial.ts';
import type { Workload } from './workloads.ts';

/** Tiles to measure under a variant in the place of those that operations offer, by family. */
export type Families = Readonly<Record<string, (variant: Variant) => readonly object[]>>;

export interface TuneOptions {
  /** Default: every family that has tiles, and all of them. */
  readonly families?: Families | undefined;
  /** Keys that need not be measured again. */
  readonly known?: ReadonlySet<string> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default: the best of the device. */
  readonly timer?: ((memory: Memory) => Stopwatch | Promise<Stopwatch>) | undefined;
  /** Called before each key, and at the end with none. */
  readonly onProgress?: ((done: number, total: number, key?: string) => void) | undefined;
  /** Called with each result as soon as it is there. */
  readonly onResult?: ((key: string, result: Result) => void) | undefined;
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
  readonly unconfirmed?: Tile | undefined;
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
/** Tiles that are timed in turns with the own choice; their buffers are all there at once. */
const TOGETHER = 6;
/** Tiles that looked faster, the fastest first, of which the first that is surely so is kept. */
const FINALISTS = 3;

/**
 * Tunes every key `family shape` of the workloads' operations. A key that several workloads have (a
 * product for 2 and for 16 rows) gets one tile, by the sum of their times: what decides the order of a
 * sum must not depend on the number of rows.
 * @throws DeviceError when the device fails; the signal's reason when aborted. Results up to then stand.
 */
export async function tune(
  device: GPUDevice,
  workloads: readonly Workload[],
  options: TuneOptions,
): Promise<void> {
  const { families, known, signal, onProgress, onResult } = options;
  const found = [...callsByKey(workloads)].map(([key, calls]) => {
    const [call] = [...calls.values()].flat();
    const given = families?.[familyOf(key)];
    const tiles = families ? call && given?.(call.variant) : call?.tiles();
    return { key, calls, tiles: tiles ?? [] };
  });
  const asked = found.filter(({ key, tiles }) => tiles.length > 0 && !known?.has(key));
  for (const [i, { key, calls, tiles }] of asked.entries()) {
    signal?.throwIfAborted();
    onProgress?.(i, asked.length, key);
    const result = await tuneKey(device, calls, candidatesOf(calls, tiles), options);
    onResult?.(key, result);
  }
  onProgress?.(asked.length, asked.length);
}

/** One key: the own choice is the first candidate. */
async function tuneKey(
  device: GPUDevice,
  calls: CallsOfKey,
  candidates: readonly Tile[],
  { signal, timer = stopwatch }: TuneOptions,
): Promise<Result> {
  const memory = new Memory(device);
  const warmUs = warmUsOf(adapterFacts(device).software);
  const bench = { memory, timer: await timer(memory), watch: memory.watch, signal, warmUs };
  const refused = new Set<Tile>();
  const [own, ...others] = candidates;
  if (!own) throw new RangeError('a key without the own choice');
  const sums = new Map<Tile, number>();
  try {
    if (others.length > 0) await compare(bench, calls, [own, ...others], refused, sums);
    const ownUs = sums.get(own) ?? 0;
    const usOf = (tile: Tile): number => sums.get(tile) ?? Number.POSITIVE_INFINITY;
    const faster = others
      .filter((tile) => !refused.has(tile) && usOf(tile) < ownUs * KEPT_BELOW)
      .sort((a, b) => usOf(a) - usOf(b));
    let decision: Decision = { tile: own, ownUs, us: ownUs };
    // What looked fastest may only have been lucky: then the next has its turn.
    for (const tile of faster.slice(0, FINALISTS)) {
      const now = await confirm(bench, calls, [own, tile], ownUs);
      if (now.tile === tile || !decision.unconfirmed) decision = now;
      if (now.tile === tile) break;
    }
    return { measured: others.length, refused: [...refused], ...decision };
  } finally {
    bench.timer.destroy();
    memory.freeAll();
  }
}

type Decision = Pick<Result, 'tile' | 'ownUs' | 'us' | 'unconfirmed'>;

interface Bench {
  readonly memory: Memory;
  readonly timer: Stopwatch;
  readonly watch: DeviceWatch;
  readonly signal: AbortSignal | undefined;
  /** Work before a program is timed: compiling and comparing let the device's clock fall. */
  readonly warmUs: number;
}

/**
 * Runs the operations of every workload with each candidate; adds to `refused` and `sums`. All of a group
 * are compiled and compared before any of them is timed, beside the own choice.
 */
async function compare(
  bench: Bench,
  calls: CallsOfKey,
  [own, ...others]: readonly [Tile, ...Tile[]],
  refused: Set<Tile>,
  sums: Map<Tile, number>,
): Promise<void> {
  const add = (tile: Tile, us: number): void => {
    sums.set(tile, (sums.get(tile) ?? 0) + us);
  };
  for (const [{ contents }, called] of calls) {
    const inputs = new Inputs(bench.memory, contents);
    const first = await bench.watch.race(buildTrial(bench.memory, inputs, called, own));
    const expected = await bench.watch.race(first.outputs());
    let ownUs: number | undefined;
    const left = others.filter((tile) => !refused.has(tile));
    for (let at = 0; at < left.length; at += TOGETHER) {
      bench.signal?.throwIfAborted();
      const group: { readonly tile: Tile; readonly trial: Trial }[] = [];
      for (const tile of left.slice(at, at + TOGETHER)) {
        const trial = await bench.watch.race(sameTrial(bench, inputs, called, tile, expected));
        if (trial) group.push({ tile, trial });
        else refused.add(tile);
      }
      const programs = [first.program, ...group.map(({ trial }) => trial.program)];
      await bench.watch.race(keepBusy(bench.timer, bench.warmUs, first.program.encode));
      const settings = { turns: LOOKS, hopeless: HOPELESS };
      const times = await bench.watch.race(looksInTurns(bench.timer, programs, settings));
      const [ownOfGroup = 0] = times;
      ownUs ??= ownOfGroup;
      // As if it had run beside the own choice in the first group.
      for (const [i, { tile }] of group.entries()) {
        add(tile, ((times[i + 1] ?? Number.POSITIVE_INFINITY) * ownUs) / ownOfGroup);
      }
      for (const { trial } of group) trial.destroy();
    }
    add(own, ownUs ?? 0);
    first.destroy();
    inputs.destroy();
  }
}

/** The trial of a tile, or undefined when the device does not take it, or its outputs are others. */
async function sameTrial(
  bench: Bench,
  inputs: Inputs,
  called: readonly Called[],
  tile: Tile,
  expected: readonly Values[],
): Promise<Trial | undefined> {
  const trial = await tryTrial(bench, inputs, called, tile);
  if (!trial || disagreement(expected, await trial.outputs()) <= MOST_NMSE) return trial;
  trial.destroy();
  return undefined;
}

/**
 * Measures both again, in rounds of turns; the first that does not say "faster" decides.
 * @param lookUs The own choice's time on the first look, which the other has to beat too: a machine
 * may be so busy that a whole round says nothing.
 */
async function confirm(
  bench: Bench,
  calls: CallsOfKey,
  [own, best]: readonly [Tile, Tile],
  lookUs: number,
): Promise<Decision> {
  const rounds: Turns[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Who begins changes from round to round.
    const isSwapped = round % 2 === 1;
    const [a, b] = await takeTurns(bench, calls, isSwapped ? [best, own] : [own, best]);
    const turns: Turns = isSwapped ? [b, a] : [a, b];
    rounds.push(turns);
    if (judge(turns, KEPT_BELOW) !== 'faster') break;
  }
  const verdict = judgeAll(rounds, KEPT_BELOW);
  const ownUs = Math.min(lookUs, ...rounds.flatMap(([first]) => first));
  const us = Math.min(...rounds.flatMap(([, second]) => second));
  if (verdict === 'faster' && us < KEPT_BELOW * ownUs) return { tile: best, ownUs, us };
  const stays = { tile: own, ownUs, us: ownUs };
  return verdict === 'not faster' ? stays : { ...stays, unconfirmed: best };
}

/** Times of two candidates in turns: sums over the workloads, turn by turn. */
async function takeTurns(
  bench: Bench,
  calls: CallsOfKey,
  [a, b]: readonly [Tile, Tile],
): Promise<[number[], number[]]> {
  const sums: [number[], number[]] = [Array(TURNS).fill(0), Array(TURNS).fill(0)];
  for (const [{ contents }, called] of calls) {
    bench.signal?.throwIfAborted();
    const inputs = new Inputs(bench.memory, contents);
    const first = await bench.watch.race(buildTrial(bench.memory, inputs, called, a));
    const second = await bench.watch.race(buildTrial(bench.memory, inputs, called, b));
    const programs = [first.program, second.program] as const;
    await bench.watch.race(keepBusy(bench.timer, bench.warmUs, first.program.encode));
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

/** The trial of a tile, or undefined when the device does not take its kernels. */
async function tryTrial(
  { memory }: Bench,
  inputs: Inputs,
  called: readonly Called[],
  tile: Tile,
): Promise<Trial | undefined> {
  try {
    return await buildTrial(memory, inputs, called, tile);
  } catch (error) {
    const isLost = error instanceof DeviceError && error.problem === 'lost';
    // A kernel that does not take its tile is a mistake: `problem` has said that it fits.
    if (isLost || error instanceof RangeError) throw error;
    return undefined;
  }
}
