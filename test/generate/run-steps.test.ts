/** How steps are queued: parts, chunks, and a device that does not run dry. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Pace } from '../../src/engine/feed.ts';
import { parts, type RunOptions, runSteps } from '../../src/engine/run-steps.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import type { Program } from '../../src/gpu/program.ts';

describe('parts', () => {
  test.each([
    [144, 4],
    [3, 4],
    [1, 4],
    [5, 0],
    [0, 4],
  ])('of %i steps, %i profiled, are all steps in order', (steps, profiled) => {
    const found = parts(steps, profiled);
    const order = found.flatMap(({ first, count }) =>
      Array.from({ length: count }, (_, i) => first + i),
    );
    expect(order).toEqual(Array.from({ length: steps }, (_, i) => i));
    expect(found.filter((part) => part.profiled)).toHaveLength(Math.min(steps, profiled));
  });

  test('profiled steps are the middles', () => {
    const profiled = parts(80, 4).filter((part) => part.profiled);
    expect(profiled.map(({ first }) => first)).toEqual([10, 30, 50, 70]);
  });
});

/** A device of which is known what a step takes and how late the host hears that work is done. */
class SlowToTell {
  readonly chunks: number[] = [];
  idleMs = 0;
  #freeAt: number | undefined;
  readonly #stepMs: number;
  readonly #lateMs: number;

  constructor(stepMs: number, lateMs: number) {
    this.#stepMs = stepMs;
    this.#lateMs = lateMs;
  }

  run(times = 1): void {
    const now = performance.now();
    if (this.#freeAt !== undefined) this.idleMs += Math.max(0, now - this.#freeAt);
    this.#freeAt = Math.max(now, this.#freeAt ?? now) + times * this.#stepMs;
    this.chunks.push(times);
  }

  done(): Promise<undefined> {
    const ms = (this.#freeAt ?? 0) - performance.now() + this.#lateMs;
    return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
  }

  /** Runs steps on it, in the time of the test. */
  async steps(count: number, pace: Pace, options: RunOptions = {}): Promise<number> {
    this.chunks.length = 0;
    this.idleMs = 0;
    this.#freeAt = undefined;
    const queue = { onSubmittedWorkDone: () => this.done() };
    const runner = {
      memory: { device: { queue } } as unknown as Memory,
      watch: { race: <T>(work: Promise<T>) => work },
      program: { run: (times?: number) => this.run(times) } as Program,
      pace,
    };
    const begun = performance.now();
    let running = true;
    const finished = runSteps(runner, count, options).finally(() => {
      running = false;
    });
    finished.catch(() => {});
    while (running) await vi.advanceTimersByTimeAsync(0.25);
    await finished;
    return performance.now() - begun;
  }
}

const fresh = (): Pace => ({ msPerStep: undefined, encode: { ms: 0, steps: 0 } });

describe('a device that is told of late', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    ['0.3 ms a step, 15 ms late', 0.3, 15],
    ['0.3 ms a step, at once', 0.3, 0],
    ['2 ms a step, 15 ms late', 2, 15],
    ['60 ms a step, 1 ms late', 60, 1],
  ])('%s, waits once at the start and never again', async (_, stepMs, lateMs) => {
    const device = new SlowToTell(stepMs, lateMs);
    const pace = fresh();
    const steps = Math.ceil(1000 / stepMs);
    await device.steps(steps, pace);
    expect(device.chunks.reduce((a, b) => a + b)).toBe(steps);
    expect(device.idleMs).toBeLessThanOrEqual(2 * lateMs + 1);
    await device.steps(steps, pace);
    expect(device.chunks.reduce((a, b) => a + b)).toBe(steps);
    expect(device.idleMs).toBe(0);
  });

  test('chunks take about 50 ms', async () => {
    const device = new SlowToTell(0.5, 10);
    const pace = fresh();
    await device.steps(2000, pace);
    const [longest] = [...device.chunks].sort((a, b) => b - a);
    expect(longest).toBeGreaterThan(80);
    expect(longest).toBeLessThanOrEqual(100);
  });

  test('slow steps are submitted one by one, two ahead', async () => {
    const device = new SlowToTell(400, 0);
    const submitted: number[] = [];
    await device.steps(5, fresh(), { onStep: () => submitted.push(device.chunks.length) });
    expect(submitted).toEqual([2, 3, 4, 5, 5]);
    expect(device.chunks).toEqual([1, 1, 1, 1, 1]);
  });

  test('stopping takes no longer than a chunk', async () => {
    const device = new SlowToTell(1, 5);
    const stop = new AbortController();
    let stoppedAt = Number.NaN;
    setTimeout(() => {
      stop.abort(new Error('enough'));
      stoppedAt = performance.now();
    }, 500);
    await expect(device.steps(100_000, fresh(), { signal: stop.signal })).rejects.toThrow('enough');
    expect(performance.now() - stoppedAt).toBeLessThan(60);
  });

  test('a fixed chunk stays fixed', async () => {
    const device = new SlowToTell(1, 0);
    await device.steps(10, fresh(), { chunk: 4 });
    expect(device.chunks).toEqual([4, 4, 2]);
  });
});
