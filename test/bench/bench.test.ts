/** The parts of the benchmark that need no device. */
import { describe, expect, test } from 'vitest';
import { repeat, timing } from '../../bench/repeat.ts';
import { SameCheck } from '../../bench/same-check.ts';
import { formatNumber, formatTable } from '../../bench/table.ts';
import { gptConfig } from '../../src/index.ts';
import { dispatchProblem, stepShape } from '../support/step-shape.ts';

describe('timing', () => {
  test('keeps the first run apart', () => {
    expect(timing([1, 5, 9, 7])).toEqual({ first: 1, min: 5, median: 7, runs: 3 });
  });

  test('of an even number of runs has the mean of the middle two as median', () => {
    expect(timing([1, 10, 2, 4, 6])).toEqual({ first: 1, min: 2, median: 5, runs: 4 });
  });

  test('needs a second run', () => {
    expect(() => timing([1])).toThrow(/at least two runs, got 1/);
  });

  test('repeats fast work for a second, slow work as often as asked', async () => {
    const wait = (ms: number) => () => new Promise<void>((done) => setTimeout(done, ms));
    expect((await repeat(1, wait(20))).length).toBeGreaterThan(10);
    expect((await repeat(2, wait(600))).length).toBe(3);
  });
});

describe('the check', () => {
  test('accepts the same again', () => {
    const check = new SameCheck('token');
    check.check('run 0', 0, [1, 2]);
    check.check('run 0', 1, [3, 4]);
    check.check('run 1', 0, Uint32Array.of(1, 2));
  });

  test.each([
    ['another value', [1, 3]],
    ['a missing value', [1]],
    ['one value more', [1, 2, 3]],
  ])('refuses %s', (_, values) => {
    const check = new SameCheck('token');
    check.check('run 0', 0, [1, 2]);
    expect(() => check.check('run 1', 0, values)).toThrow(/^run 1: token \d of image 0 is /);
  });
});

describe('a step', () => {
  const precision = {
    variant: { reduce: 'workgroup', f16: false },
    dtype: 'f16',
    kvDtype: 'f16',
  } as const;
  const config = gptConfig('GPT-B', 16);

  test.each([true, false])('of GPT-B, guided %s, is within its dispatches', (guided) => {
    const shape = stepShape(
      config,
      guided ? { rows: 8, slots: 8 } : { rows: 4, slots: 4 },
      precision,
    );
    expect(dispatchProblem(shape)).toBeUndefined();
    expect(shape.dispatches).toBe(12 * shape.dispatchesPerLayer + shape.otherDispatches);
  });

  test('has the KV cache of its slots', () => {
    const shape = stepShape(config, { rows: 8, slots: 8 }, precision);
    const positions = 1 + config.blockSize;
    expect(shape.kvBytes).toBe(12 * 2 * 8 * positions * 768 * 2);
  });

  test('whose weights are cut into parts has as many dispatches as it would have', () => {
    const cut = { ...precision, maxBindingBytes: 2 ** 20 };
    const shape = stepShape(config, { rows: 2, slots: 2 }, cut);
    const whole = stepShape(config, { rows: 2, slots: 2 }, precision);
    expect(shape.partDispatches).toBeGreaterThan(50);
    expect(shape.dispatches).toBe(whole.dispatches + shape.partDispatches);
    expect(whole.partDispatches).toBe(0);
    expect(dispatchProblem(shape)).toBeUndefined();
  });

  test('with more dispatches is said to be wrong', () => {
    const shape = stepShape(config, { rows: 1, slots: 1 }, precision);
    const sixth = { ...shape, dispatchesPerLayer: 6, dispatches: shape.dispatches + 12 };
    expect(dispatchProblem(sixth)).toMatch(/6 a layer.*expected at most 5 a layer and 6 more/);
    expect(dispatchProblem({ ...shape, dispatches: shape.dispatches + 1 })).toBeDefined();
    expect(dispatchProblem({ ...shape, otherDispatches: 7 })).toBeDefined();
  });
});

test('a table has its columns aligned', () => {
  const lines = formatTable([
    ['name', 'first', 'best'],
    ['longer name', '1.00', '12345'],
    ['one', '2'],
  ]);
  expect(lines).toEqual([
    'name         first   best',
    'longer name   1.00  12345',
    'one              2',
  ]);
});

test.each([
  [0.1234, '0.12'],
  [12.345, '12.3'],
  [1234.5, '1235'],
])('%d is written as %s', (value, text) => {
  expect(formatNumber(value)).toBe(text);
});
