/** On GPUs programs of other numbers of rows are built after the first picture, behind the requests. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createEngine, DeviceError, type Engine, loadModel, type Model } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { type GpuLike, gpuLike } from '../support/gpu-like-device.ts';
import { tinyFolder } from '../support/tiny-model.ts';
import { until } from '../support/until.ts';

const real = await testDevice();
/** One slot or two a request, in passes of 1, 2 and 4 rows. */
const CAPACITY = 4;
/** As software adapters have it, without barriers. */
const SERIAL = {
  variant: { reduce: 'serial', f16: false },
  precision: 'exact',
  dtype: 'f32',
} as const;

let gpu: GpuLike;
let model: Model;
let engine: Engine;
beforeEach(async () => {
  gpu = gpuLike(real);
  model = await loadModel(gpu.device, tinyFolder(), SERIAL);
  engine = await createEngine(model, { capacity: CAPACITY, rows: CAPACITY });
});
afterEach(async () => {
  engine.destroy();
  model.destroy();
});

/** The tokens of requests of one row each, all at once. */
const tokensOf = (...seeds: readonly number[]): Promise<(readonly number[])[]> =>
  Promise.all(
    seeds.map(async (seed) => {
      for await (const event of engine.submit({
        classIndex: 1,
        seed,
        cfgScale: 1,
        pixels: false,
      })) {
        if (event.type === 'image') return [...event.tokens];
      }
      throw new Error('no image');
    }),
  );

/** Bind groups of the decoder's program, whatever its rows. */
async function groupsOfProgram(): Promise<number> {
  const before = gpu.made.groups;
  await engine.prepare(1);
  return gpu.made.groups - before;
}

test('all are there soon after the first picture, and later requests make none', async () => {
  const each = await groupsOfProgram();
  expect(each).toBeGreaterThan(10);
  const [alone] = await tokensOf(3);
  await until(() => gpu.made.groups === 3 * each);
  const together = await tokensOf(3, 4, 5);
  expect(gpu.made.groups).toBe(3 * each);
  // Each of them again, alone in a pass of one row.
  for (const [i, seed] of [3, 4, 5].entries()) {
    expect(await tokensOf(seed)).toEqual([together[i]]);
  }
  expect(together[0]).toEqual(alone);
});

test('requests that come meanwhile are served with what there is', async () => {
  const each = await groupsOfProgram();
  const [first] = await tokensOf(7);
  const again = await tokensOf(7, 8, 7, 9);
  expect([again[0], again[2]]).toEqual([first, first]);
  await until(() => gpu.made.groups === 3 * each);
});

test('one that cannot be built fails no request, and is built when it is needed', async () => {
  const each = await groupsOfProgram();
  gpu.fail.with = new Error('no room');
  const [first] = await tokensOf(2);
  const [second] = await tokensOf(2);
  expect(second).toEqual(first);
  expect(gpu.made.groups).toBe(each);
  gpu.fail.with = undefined;
  expect((await tokensOf(2, 3))[0]).toEqual(first);
  await until(() => gpu.made.groups === 3 * each);
});

test('one that could not be built a moment ago is not tried again with every picture', async () => {
  await groupsOfProgram();
  vi.useFakeTimers({ toFake: ['performance'] }); // the moment lasts
  const { temp } = model.memory;
  const create = vi.spyOn(model.gpt.memory, 'create');
  gpu.fail.with = new Error('no room');
  await tokensOf(2);
  // Tried, and freed again.
  await until(() => create.mock.calls.length > 0 && model.memory.temp === temp);
  create.mockClear();
  for (const seed of [3, 4]) await tokensOf(seed);
  await new Promise((resolve) => setTimeout(resolve, 20));
  vi.useRealTimers();
  expect(create).not.toHaveBeenCalled();
});

test('an engine that is destroyed meanwhile leaves no memory behind', async () => {
  await engine.prepare(1);
  const { weights } = model.memory;
  await tokensOf(1);
  engine.destroy();
  await until(() => model.memory.temp + model.memory.state === 0);
  // What was still being compiled is let go of too.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(model.memory).toEqual({ weights, state: 0, temp: 0, staging: 0 });
});

test('given tokens take the passes of a program for many rows, once it is there', async () => {
  const each = await groupsOfProgram();
  const prefix = Array.from({ length: 15 }, (_, i) => i);
  const request = { classIndex: 1, cfgScale: 1, pixels: false, window: 1, prefix };
  const passes = async (): Promise<number> => {
    for await (const event of engine.submit(request)) {
      if (event.type === 'image') return event.passes;
    }
    throw new Error('no image');
  };
  expect(await passes()).toBeGreaterThan(4);
  await until(() => gpu.made.groups === 3 * each);
  await engine.prepare(4); // it is there now
  expect(await passes()).toBe(4);
});

test('where there is no memory for more rows, requests take turns with those there are', async () => {
  const each = await groupsOfProgram();
  gpu.fail.with = new DeviceError('out-of-memory', 'no room');
  const together = await tokensOf(1, 2, 3);
  expect(gpu.made.groups).toBe(each);
  gpu.fail.with = undefined;
  for (const [i, seed] of [1, 2, 3].entries()) expect(await tokensOf(seed)).toEqual([together[i]]);
});
