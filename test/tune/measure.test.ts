/** When a program counts as faster, and how often it is run to find out. */
import { describe, expect, test } from 'vitest';
import type { Program } from '../../src/gpu/program.ts';
import type { Stopwatch } from '../../src/gpu/stopwatch.ts';
import { inTurns, judge, judgeAll, looksInTurns, type Turns } from '../../src/tune/measure.ts';
import { uniform } from '../support/random.ts';

/** A timer that gives these times for one run of a program, the last again and again. */
function scripted(...times: readonly number[]) {
  const asked: number[] = [];
  const timer: Stopwatch = {
    method: 'host clock',
    async time(encode) {
      let runs = 0;
      const pass = { end: () => runs++ };
      encode(pass as unknown as GPUComputePassEncoder);
      asked.push(runs);
      return (times[Math.min(asked.length, times.length) - 1] ?? 0) * runs;
    },
    destroy() {},
  };
  return { timer, asked };
}

const program = { encode: (pass: GPUComputePassEncoder) => pass.end() } as unknown as Program;

describe('looksInTurns', () => {
  const looks = (timer: Stopwatch, count: number, turns: number): Promise<number[]> =>
    looksInTurns(timer, Array(count).fill(program), { turns, hopeless: 1.5 });

  test('gives the fastest run of each, in turns back and forth, each long enough', async () => {
    const { timer, asked } = scripted(100, 140, 300, 250, 240, 80, 90, 260);
    // First looks, then a b, b a, a b.
    expect(await looks(timer, 2, 3)).toEqual([80, 240]);
    expect(asked).toEqual([1, 1, 20, 15, 15, 20, 20, 15]);
  });

  test('looks twice at what takes much longer than the first, and no more', async () => {
    const { timer, asked } = scripted(100, 900, 800, 70);
    expect(await looks(timer, 2, 2)).toEqual([70, 800]);
    expect(asked).toEqual([1, 1, 1, 20, 20]);
  });

  test('does not give up because of one slow run', async () => {
    const { timer } = scripted(100, 900, 90);
    expect(await looks(timer, 2, 2)).toEqual([90, 90]);
  });

  test('runs slow programs once more', async () => {
    const { timer, asked } = scripted(800_000, 700_000);
    expect(await looks(timer, 1, 3)).toEqual([700_000]);
    expect(asked).toEqual([1, 1]);
  });
});

test('two programs run in turns a, b, b, a, and the faster run of each counts', async () => {
  const { timer, asked } = scripted(1000, 9e3, 9e3, 9e3, 500, 9e3, 1, 2, 3, 4, 8, 7, 6, 5);
  expect(await inTurns(timer, [program, program], 2)).toEqual([
    [1, 5],
    [2, 6],
  ]);
  // A run takes 2 ms at least, by the fastest of three looks.
  expect(asked).toEqual([1, 1, 1, 1, 1, 1, 2, 4, 4, 2, 2, 4, 4, 2]);
});

describe('times in turns', () => {
  test.each([
    ['surely faster', [10, 10, 10], [9, 9, 9], 'faster'],
    ['not faster enough', [10, 10, 10], [9.6, 9.6, 9.6], 'not faster'],
    ['faster in one lucky run only', [10, 10, 10], [8, 10, 10], 'not faster'],
    ['faster, but for one slow run of four', [10, 10, 10, 10], [9, 50, 9, 9], 'faster'],
    ['faster, but for two slow runs of five', [10, 10, 10, 10, 10], [9, 50, 9, 9, 50], 'unsure'],
    ['faster because the other had bad luck', [10, 30, 30], [10, 10, 10], 'unsure'],
    ['faster by less than its times differ', [10, 10, 10], [6, 9, 9.3], 'unsure'],
    ['many times faster, by how many differs', [10, 10, 10], [1, 2, 3], 'faster'],
    ['no number', [10, 10, 10], [Number.NaN, Number.NaN, Number.NaN], 'not faster'],
  ])('say %s', (_, own, other, verdict) => {
    expect(judge([own, other], 0.95)).toBe(verdict);
  });

  const round = (ratio: number): Turns => [
    [10, 10, 10, 10],
    [10, 10, 10, 10].map((us) => us * ratio),
  ];

  test.each([
    ['faster', 'in all of them, alike', [0.8, 0.82]],
    ['unsure', 'in one of them', [0.8, 1]],
    ['unsure', 'by much more in one of them', [0.92, 0.6]],
    ['not faster', 'in none', [1]],
  ])('are %s together when a tile is faster %s', (verdict, _, ratios) => {
    expect(judgeAll(ratios.map(round), 0.95)).toBe(verdict);
  });

  /** Rounds as `tune` takes them, every time up to `noise` times as long as the machine alone needs. */
  function measured(seed: number, ratio: number, noise: number): Turns[] {
    const next = uniform(seed);
    const times = (us: number): number[] =>
      Array.from({ length: 7 }, () => us * (1 + (noise - 1) * next()));
    return [1, 2].map(() => [times(100), times(100 * ratio)]);
  }

  const confirmed = (ratio: number, noise: number): number =>
    Array.from({ length: 500 }, (_, seed) => measured(seed, ratio, noise)).filter(
      (rounds) => judgeAll(rounds, 0.95) === 'faster',
    ).length;

  test('confirm nothing that is not faster, however busy the machine is', () => {
    for (const noise of [1.02, 1.1, 1.5, 3, 10]) expect(confirmed(1, noise)).toBe(0);
  });

  test('confirm what is faster on a machine that does nothing else', () => {
    expect(confirmed(0.85, 1.03)).toBe(500);
    expect(confirmed(0.2, 1.5)).toBe(500);
  });
});
