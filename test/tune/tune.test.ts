/** The tuner on a device, with a family of kernels made for it. */
import { afterAll, describe, expect, test } from 'vitest';
import {
  type Binding,
  declare,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../../kernels/kernel.ts';
import { type Stopwatch, stopwatch } from '../../src/gpu/stopwatch.ts';
import type { Tensor } from '../../src/graph/tensor.ts';
import { type Operation, run } from '../../src/ops/operation.ts';
import type { Tile, Tiles } from '../../src/ops/tiles.ts';
import { type Result, type TuneOptions, tune } from '../../src/tune/tune.ts';
import type { Workload } from '../../src/tune/workloads.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();
afterAll(() => device.queue.onSubmittedWorkDone());

const SIZE = 4096;
/** Work that does nothing, so that a kernel is surely slower than another. */
const SLOW = 400;

interface Settings {
  readonly rounds: number;
  /** What is added to the right result. */
  readonly error: string;
  readonly split: boolean;
  readonly broken: boolean;
}

const OWN: Settings = { rounds: SLOW, error: '0.0', split: false, broken: false };

function doubled(label: string, { rounds, error, broken }: Settings, factor: number) {
  const shape = [SIZE];
  const bindings = {
    x: { role: 'in', dtype: 'f32', shape } as Binding<'in'>,
    out: { role: 'out', dtype: 'f32', shape } as Binding<'out'>,
  };
  const code = `${declare(bindings)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var v = x[id.x] * f32(${factor});
  for (var i = 0u; i < ${rounds}u; i++) { v = v + x[(id.x + i) % ${SIZE}u] * 1e-30; }
  out[id.x] = v + ${error};${broken ? 'broken' : ''}
}`;
  return {
    name: label,
    params: { rounds },
    label: `${label} ${rounds} rounds`,
    code,
    bindings,
    workgroups: [SIZE / 64, 1, 1],
  } satisfies Kernel;
}

/** out = 2 x. */
const fake: Operation<{ readonly variant: Variant }, { readonly x: Tensor }, Settings> = {
  key: () => `fake [${SIZE}]`,
  tiles: () => [{ rounds: 4 }],
  problem: (_, { rounds = SLOW }) => (rounds < 0 ? 'no such tile' : undefined),
  call(g, _, fed, settings) {
    const tile = { ...OWN, ...settings };
    if (!tile.split) return g.call(doubled('tuned', tile, 2), fed).out;
    const half = g.call(doubled('half', { ...tile, error: '0.0' }, Math.SQRT2), fed).out;
    return g.call(doubled('tuned', tile, Math.SQRT2), { x: half }).out;
  },
};

/** The operation between two kernels. */
const define =
  (tiles: Tiles = {}): Workload['define'] =>
  (g, called) => {
    const none = { ...OWN, rounds: 1 };
    const x = g.call(doubled('before', none, 1.5), { x: g.state('x', 'f32', [SIZE]) }).out;
    const made = run({ g, tiles, called }, fake, { variant: PORTABLE }, { x });
    g.call(doubled('after', none, 1.25), { x: made });
  };

/**
 * A clock that does not depend on what else the machine does: a dispatch takes as many microseconds as
 * its kernel has rounds, and now and then ten times as many.
 * @param busyRuns The own choice's first runs, during which the machine is busy with something else.
 */
const countingTimer =
  (busy: (isOwn: boolean, ownRuns: number) => number = () => 1) =>
  (): Stopwatch => {
    let [runs, ownRuns] = [0, 0];
    return {
      method: 'host clock',
      async time(encode) {
        let [us, isOwn] = [0, false];
        const pass = {
          setPipeline: ({ label }: GPUComputePipeline) => {
            const rounds = Number(/ (\d+) rounds/.exec(label)?.[1]);
            isOwn ||= rounds === SLOW;
            us += rounds;
          },
          setBindGroup() {},
          dispatchWorkgroups() {},
        };
        encode(pass as unknown as GPUComputePassEncoder);
        if (isOwn) ownRuns++;
        us *= busy(isOwn, ownRuns);
        return ++runs % 5 === 0 ? us * 10 : us;
      },
      destroy() {},
    };
  };

const workload: Workload = { name: 'fake', define: define(), contents: new Map() };

async function tuned(
  tiles: readonly Tile[],
  timer: NonNullable<TuneOptions['timer']> = countingTimer(),
  before: Tiles = {},
) {
  const results = new Map<string, Result>();
  const workloads = ['one', 'two'].map((name) => ({ ...workload, name, define: define(before) }));
  await tune(device, workloads, {
    families: { fake: () => tiles },
    timer,
    onResult: (key, result) => results.set(key, result),
  });
  return results;
}

const only = (results: ReadonlyMap<string, Result>): Result => {
  expect([...results.keys()]).toEqual([`fake [${SIZE}]`]);
  return results.get(`fake [${SIZE}]`)!;
};

describe('a tile that is faster', () => {
  test('is kept, with the times of two workloads together', async () => {
    const result = only(await tuned([{ rounds: 4 }]));
    const times = { ownUs: 2 * SLOW, us: 2 * 4 };
    expect(result).toEqual({ tile: { rounds: 4 }, ...times, measured: 1, refused: [] });
  });

  // Other processes may have the processor in all of the few runs of the first look: then once more.
  const patient = { retry: 9 };
  test('is seen by the clock of the device, unless the machine is too busy', patient, async () => {
    const result = only(await tuned([{ rounds: 4 }], stopwatch));
    expect([result.tile, result.unconfirmed]).toContainEqual({ rounds: 4 });
    expect(result.us).toBeLessThan(result.ownUs * (result.unconfirmed ? 1.01 : 0.95));
  });

  test('is kept when it takes another number of calls', async () => {
    expect(only(await tuned([{ rounds: 4, split: true }])).tile).toEqual({
      rounds: 4,
      split: true,
    });
  });

  test('is measured against the own choice, not against what was measured before', async () => {
    const before = { [`fake [${SIZE}]`]: { rounds: 1 } };
    expect(only(await tuned([{ rounds: 4 }], undefined, before)).tile).toEqual({
      rounds: 4,
    });
  });
});

describe('the own choice stays when a tile', () => {
  test.each<[string, Tile]>([
    ['is slower', { rounds: 2 * SLOW }],
    ['is hardly faster', { rounds: SLOW * 0.96 }],
  ])('%s', async (_, given) => {
    const { tile, measured, refused } = only(await tuned([given]));
    expect(tile).toEqual({});
    expect([measured, refused]).toEqual([1, []]);
  });

  test.each<[string, Tile]>([
    ['gives something else', { rounds: 4, error: '0.01' }],
    ['gives no number', { rounds: 4, error: 'bitcast<f32>(0x7fc00000u + id.x)' }],
    ['gives an infinity', { rounds: 4, error: 'bitcast<f32>(0x7f800000u + id.x * 0u)' }],
    ['does not compile', { rounds: 4, broken: true }],
  ])('%s, and it is refused', async (_, given) => {
    const { tile, refused } = only(await tuned([given]));
    expect(tile).toEqual({});
    expect(refused).toEqual([given]);
  });

  test('is not one that the kernel takes, or is the own choice', async () => {
    expect(only(await tuned([{ rounds: -1 }, { rounds: SLOW }]))).toMatchObject({
      tile: {},
      measured: 0,
    });
  });
});

describe('a tile that only a busy machine made look faster is not confirmed', () => {
  // Of two workloads: 4 runs of the first look, and 17 of each round.
  const [LOOK, ROUND] = [2 * 4, 2 * 17];
  test.each<[string, number, Parameters<typeof countingTimer>[0]]>([
    ['until the first round was over', 399, (own, runs) => (own && runs <= LOOK + ROUND ? 3 : 1)],
    ['after the first look', 376, (own, runs) => (runs <= LOOK ? 1 : own ? 6 : 2)],
  ])('%s', async (_, rounds, busy) => {
    const result = only(await tuned([{ rounds }], countingTimer(busy)));
    expect([result.tile, result.unconfirmed]).toEqual([{}, { rounds }]);
    expect(result.us).toBe(result.ownUs);
  });
});

test('the next one is kept when the fastest was only lucky', async () => {
  // What looked many times faster is no faster when it is measured again.
  const lucky: () => Stopwatch = () => {
    const clock = countingTimer()();
    const runs = new Map<number, number>();
    return {
      ...clock,
      async time(encode) {
        const us = await clock.time(encode);
        const rounds = [7, 9].find((n) => us % n === 0 && us % SLOW !== 0);
        if (rounds === undefined) return us;
        const count = (runs.get(rounds) ?? 0) + 1;
        runs.set(rounds, count);
        return rounds === 7 && count > 2 * 4 ? us * 100 : us;
      },
    };
  };
  const { tile, unconfirmed } = only(await tuned([{ rounds: 7 }, { rounds: 9 }], lucky));
  expect([tile, unconfirmed]).toEqual([{ rounds: 9 }, undefined]);
});

test('more tiles than are timed at once are compared with each other', async () => {
  const tiles = Array.from({ length: 15 }, (_, i) => ({ rounds: 300 - 20 * i }));
  const { tile, measured, refused } = only(await tuned(tiles));
  expect([tile, measured, refused]).toEqual([{ rounds: 20 }, 15, []]);
});

test('the fastest of several that agree is kept', async () => {
  const tiles = [{ rounds: 200 }, { rounds: 1, error: '1.0' }, { rounds: 4 }, { rounds: 100 }];
  const { tile, measured, refused } = only(await tuned(tiles));
  expect(tile).toEqual({ rounds: 4 });
  expect(measured).toBe(4);
  expect(refused).toEqual([tiles[1]]);
});

test('known keys and families without tiles are left alone', async () => {
  const families = { fake: () => [{ rounds: 4 }] };
  const seen: string[] = [];
  const onResult = (key: string): void => void seen.push(key);
  const known = new Set([`fake [${SIZE}]`]);
  await tune(device, [workload], { families, known, onResult });
  await tune(device, [workload], { families: {}, onResult });
  expect(seen).toEqual([]);
});

test('an operation without other families offers its own tiles', async () => {
  const results = new Map<string, Result>();
  const onResult = (key: string, result: Result): void => void results.set(key, result);
  await tune(device, [workload], { timer: countingTimer(), onResult });
  expect(only(results).tile).toEqual({ rounds: 4 });
});

test('stops when asked to', async () => {
  const stop = new AbortController();
  const families = { fake: () => [{ rounds: 4 }, { rounds: 5 }] };
  const onProgress = (): void => stop.abort(new Error('enough'));
  const options = { families, signal: stop.signal, onProgress };
  await expect(tune(device, [workload], options)).rejects.toThrow('enough');
});
