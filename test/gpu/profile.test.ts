/** The profiler sees every dispatch of a program, on one clock with JavaScript. */
import { afterAll, describe, expect, test } from 'vitest';
import { costOf } from '../../kernels/cost.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { DeviceError } from '../../src/errors.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { profile, shareOfFloor } from '../../src/gpu/profile.ts';
import { Profiler } from '../../src/gpu/profiler.ts';
import { build } from '../../src/gpu/program.ts';
import { Graph } from '../../src/graph/graph.ts';
import { testDevice } from '../support/device.ts';
import { nullDevice } from '../support/null-device.ts';

const device = await testDevice();
const memory = new Memory(device);
afterAll(() => memory.freeAll());

const kernel = rmsNorm({ rows: 64, dim: 256 });

async function threeNorms() {
  const g = new Graph();
  const gain = g.state('gain', 'f32', [256]);
  let x = g.state('x', 'f32', [64, 256]);
  for (let i = 0; i < 3; i++) x = g.call(kernel, { x, gain }).out;
  return build(memory, g, { weights: new Map() });
}

describe.runIf(device.features.has('timestamp-query'))('with timestamps', () => {
  test('times and costs add up by kernel', async () => {
    const times = await profile(memory, await threeNorms());
    expect(times).toHaveLength(1);
    const { bytes } = costOf(kernel);
    expect(times?.[0]).toMatchObject({ label: kernel.label, dispatches: 3, bytes: 3 * bytes });
    expect(times?.[0]?.us).toBeGreaterThan(0);
    expect(memory.use.staging).toBe(0);
  });

  test('runs of a name become their mean', async () => {
    const program = await threeNorms();
    const profiler = await Profiler.open(device);
    for (let i = 0; i < 2; i++) await profiler.run(memory, program, 'norms');
    expect(profiler.programs).toMatchObject([
      { name: 'norms', runs: 2, kernels: [{ label: kernel.label, dispatches: 3 }] },
    ]);
  });

  test('the device works while JavaScript waits for it, by one clock', async () => {
    const program = await threeNorms();
    const profiler = await Profiler.open(device);
    const end = profiler.begin('waiting');
    await profiler.run(memory, program, 'norms');
    end();
    const events: readonly { name: string; ph: string; ts: number; dur: number; tid: number }[] =
      JSON.parse(profiler.trace()).traceEvents;
    const waiting = events.find(({ name }) => name === 'waiting');
    const dispatches = events.filter(({ ph, tid }) => ph === 'X' && tid === 2);
    expect(dispatches).toHaveLength(3);
    // The clocks are matched to within half the way to the device and back.
    const slack = 5000;
    for (const [i, { ts, dur }] of dispatches.entries()) {
      expect(ts).toBeGreaterThan((waiting?.ts ?? Number.NaN) - slack);
      expect(ts + dur).toBeLessThan((waiting?.ts ?? 0) + (waiting?.dur ?? 0) + slack);
      const before = dispatches[i - 1];
      if (before) expect(ts).toBeGreaterThanOrEqual(before.ts + before.dur - 0.002);
    }
  });
});

test('a share of the floor is the floor over the time', () => {
  const limits = { bytesPerSecond: 1e9, operationsPerSecond: 1e9 };
  expect(shareOfFloor({ bytes: 1000, operations: 0, us: 4 }, limits)).toBeCloseTo(0.25);
  expect(shareOfFloor({ bytes: 1000, operations: 0, us: 0 }, limits)).toBe(0);
});

test('a device without timestamps is told so', async () => {
  const blind = await nullDevice();
  await expect(Profiler.open(blind)).rejects.toThrow(DeviceError);
  await expect(Profiler.open(blind)).rejects.toThrow(/timestamp-query/);
  expect(await profile(new Memory(blind), await threeNorms())).toBeUndefined();
});
