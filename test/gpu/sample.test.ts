/** Times of dispatches, on a device whose clock the test knows. */
import { expect, test } from 'vitest';
import { keepBusy, sample } from '../../src/gpu/sample.ts';
import type { Stopwatch } from '../../src/gpu/stopwatch.ts';

interface FakeDevice {
  readonly watch: Stopwatch;
  /** Dispatches of each pass. */
  readonly passes: number[];
}

/** @param us What one dispatch takes after the device has worked for `busyUs`. */
function fake(us: (busyUs: number) => number): FakeDevice {
  const passes: number[] = [];
  let busyUs = 0;
  const watch: Stopwatch = {
    method: 'timestamps',
    async time(encode) {
      let count = 0;
      encode({ dispatchWorkgroups: () => count++ } as unknown as GPUComputePassEncoder);
      passes.push(count);
      const before = busyUs;
      for (let i = 0; i < count; i++) busyUs += us(busyUs);
      return busyUs - before;
    },
    destroy() {},
  };
  return { watch, passes };
}

const once = (pass: GPUComputePassEncoder): void => pass.dispatchWorkgroups(1);

test('a dispatch is timed after the clock of the device has risen', async () => {
  // 60 us a dispatch after a pause, 10 us after 50 ms of work.
  const { watch } = fake((busy) => Math.max(10, 60 - busy / 1000));
  const cold = await sample(watch, { runs: 5, leastUs: 4000, warmUs: 0 }, once);
  expect(cold.medianUs).toBeGreaterThan(15);
  const again = fake((busy) => Math.max(10, 60 - busy / 1000));
  const warm = await sample(again.watch, { runs: 5, leastUs: 4000, warmUs: 100_000 }, once);
  expect(warm).toEqual({ us: 10, medianUs: 10, runs: 5, dispatches: 400 });
});

test('a pass takes as long as it should, and no more dispatches than are allowed', async () => {
  const { watch, passes } = fake(() => 100);
  await sample(watch, { runs: 3, leastUs: 4000, warmUs: 0 }, once);
  expect(passes).toEqual([1, 40, 40, 40, 40]);
  const few = fake(() => 100);
  await sample(few.watch, { runs: 2, leastUs: 4000, warmUs: 0, most: 8 }, once);
  expect(few.passes).toEqual([1, 8, 8, 8]);
});

test('a slow dispatch runs twice', async () => {
  const { watch, passes } = fake((busy) => (busy === 0 ? 3e6 : 2e6));
  const { us, runs } = await sample(watch, { runs: 5, leastUs: 4000, warmUs: 1e5 }, once);
  expect({ us, runs, passes }).toEqual({ us: 2e6, runs: 2, passes: [1, 1] });
});

test('a clock that stands still for short work ends all the same', async () => {
  const { watch } = fake(() => 0);
  expect((await sample(watch, { runs: 2, leastUs: 4000, warmUs: 1e5 }, once)).us).toBe(0);
});

test('a device is kept busy for as long as is asked, by ever longer passes', async () => {
  const { watch, passes } = fake(() => 30);
  await keepBusy(watch, 100, once);
  expect(passes).toEqual([1, 2, 4]);
  await keepBusy(watch, 0, once);
  expect(passes).toEqual([1, 2, 4]);
});
