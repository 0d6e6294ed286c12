/** When a program counts as faster, and how often it is run to find out. */
import { describe, expect, test } from 'vitest';
import type { Program } from '../../src/gpu/program.ts';
import type { Stopwatch } from '../../src/gpu/stopwatch.ts';
import { bestOf, inTurns, isFaster } from '../../src/tune/measure.ts';

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

describe('bestOf', () => {
  test('is the fastest run, each long enough', async () => {
    const { timer, asked } = scripted(100, 300, 90, 200);
    expect(await bestOf(timer, program, 3, Infinity)).toBe(90);
    expect(asked).toEqual([1, 20, 20, 20]);
  });

  test('gives up after two looks', async () => {
    const { timer, asked } = scripted(900, 800);
    expect(await bestOf(timer, program, 3, 500)).toBe(800);
    expect(asked).toEqual([1, 1]);
  });

  test('does not give up because of one slow run', async () => {
    const { timer } = scripted(900, 100);
    expect(await bestOf(timer, program, 3, 500)).toBe(100);
  });

  test('runs slow programs once more', async () => {
    const { timer, asked } = scripted(800_000, 700_000);
    expect(await bestOf(timer, program, 3, Infinity)).toBe(700_000);
    expect(asked).toEqual([1, 1]);
  });
});

test('two programs run in turns, as often each', async () => {
  const { timer, asked } = scripted(1000, 1, 2, 3, 4);
  expect(await inTurns(timer, [program, program], 2)).toEqual([
    [1, 3],
    [2, 4],
  ]);
  expect(asked).toEqual([1, 2, 2, 2, 2]);
});

test.each([
  ['surely faster', [10, 10, 10], [9, 9, 9], true],
  ['not faster enough', [10, 10, 10], [9.6, 9.6, 9.6], false],
  ['faster in one lucky run only', [10, 10, 10], [8, 10, 10], false],
  ['faster, but for one slow run', [10, 10, 10], [9, 50, 9], true],
  ['faster because the other had bad luck', [10, 30, 30], [10, 10, 10], false],
])('%s', (_, own, other, faster) => {
  expect(isFaster(own, other, 0.95)).toBe(faster);
});
