/** The loads of the suite `serve`, without a device. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { closedLoop, openLoop, percentile, poissonArrivals } from '../../bench/serve/load.ts';

describe('a closed loop', () => {
  test('asks for every image once, with as many at a time as there are clients', async () => {
    const asked: number[] = [];
    let [now, most] = [0, 0];
    const { latenciesMs } = await closedLoop(
      async (i) => {
        asked.push(i);
        most = Math.max(most, ++now);
        await sleep(1 + (i % 3));
        now--;
      },
      20,
      4,
    );
    expect(asked.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(most).toBe(4);
    expect(latenciesMs).toHaveLength(20);
    expect(latenciesMs).toEqual([...latenciesMs].sort((a, b) => a - b));
  });

  test('fails as a request does', async () => {
    const ask = async (i: number): Promise<void> => {
      if (i === 3) throw new Error('no image');
    };
    await expect(closedLoop(ask, 10, 2)).rejects.toThrow('no image');
  });
});

describe('an open loop', () => {
  test('does not wait for answers, and counts from when a request was due', async () => {
    // One at a time, 30 ms each, all due at once: the last waits for all before it.
    let before = Promise.resolve();
    const ask = (): Promise<void> => {
      before = before.then(() => sleep(30));
      return before;
    };
    const { latenciesMs, seconds } = await openLoop(ask, [0, 0, 0, 0]);
    expect(latenciesMs[0]).toBeGreaterThanOrEqual(29);
    expect(latenciesMs[3]).toBeGreaterThanOrEqual(4 * 29);
    expect(seconds).toBeGreaterThanOrEqual(0.116);
  });

  test('fails as a request does, after all have come', async () => {
    let asked = 0;
    const ask = async (i: number): Promise<void> => {
      asked++;
      if (i === 0) throw new Error('no image');
    };
    await expect(openLoop(ask, [0, 5, 10])).rejects.toThrow('no image');
    expect(asked).toBe(3);
  });
});

describe('Poisson arrivals', () => {
  test('are the same for a seed, ascend, and have the mean and spread of their rate', () => {
    const arrivals = poissonArrivals(20_000, 50, 1);
    expect(poissonArrivals(20_000, 50, 1)).toEqual(arrivals);
    expect(poissonArrivals(20_000, 50, 2)).not.toEqual(arrivals);
    const gaps = arrivals.map((at, i) => at - (arrivals[i - 1] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(mean).toBeGreaterThan(19.5);
    expect(mean).toBeLessThan(20.5);
    // Of an exponential distribution the deviation is the mean.
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.97);
    expect(Math.sqrt(variance) / mean).toBeLessThan(1.03);
  });
});

test.each([
  [0.5, 5],
  [0.95, 10],
  [0.99, 10],
  [1, 10],
  [0.1, 1],
])('percentile %d of 1 to 10 is %d', (share, value) => {
  expect(percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], share)).toBe(value);
});

test('there is no percentile of nothing', () => {
  expect(() => percentile([], 0.5)).toThrow(/at least one value/);
});
