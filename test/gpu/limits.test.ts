/** What the measured limits of a device mean, and that measuring leaves nothing behind. */
import { expect, test } from 'vitest';
import { floorUs, measureLimits } from '../../src/gpu/limits.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { stopwatch } from '../../src/gpu/stopwatch.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();

test('the floor is the slower of moving and computing', () => {
  const limits = { bytesPerSecond: 1e9, operationsPerSecond: 4e9 };
  expect(floorUs({ bytes: 1000, operations: 0 }, limits)).toBeCloseTo(1);
  expect(floorUs({ bytes: 1000, operations: 8000 }, limits)).toBeCloseTo(2);
});

test('limits are rates, not nonsense', async () => {
  const { bytesPerSecond, operationsPerSecond } = await measureLimits(device);
  // From the slowest machine that could run this to more than any has.
  for (const rate of [bytesPerSecond, operationsPerSecond]) {
    expect(rate).toBeGreaterThan(1e7);
    expect(rate).toBeLessThan(1e16);
  }
});

test('a stopwatch times what a pass holds and frees its memory', async () => {
  const memory = new Memory(device);
  const watch = await stopwatch(memory);
  const expected = device.features.has('timestamp-query') ? 'timestamps' : 'host clock';
  expect(watch.method).toBe(expected);
  expect(await watch.time(() => {})).toBeGreaterThanOrEqual(0);
  watch.destroy();
  expect(memory.use.staging).toBe(0);
});
