import { expect, test } from 'vitest';
import { Estimate, follower } from '../../src/cli/estimate.ts';
import type { Progress } from '../../src/index.ts';
import { recordedReport } from '../support/report.ts';

const tokens = (done: number, elapsedMs: number, total = 1000): Progress => ({
  ...{ phase: 'tokens', done, total, elapsedMs },
});
const decode = (done: number, elapsedMs: number, total = 10): Progress => ({
  ...{ phase: 'decode', done, total, elapsedMs },
});

test('a long run is foretold once, from its first steps', () => {
  const estimate = new Estimate(10);
  expect(estimate.see(tokens(0, 0))).toBeUndefined();
  // The first steps look slow.
  expect(estimate.see(tokens(1, 1900))).toBeUndefined();
  expect(estimate.see(tokens(4, 4000))).toBe(
    'this takes about 16 min 40 s for the tokens of 10 images, decoding not counted',
  );
  expect(estimate.see(tokens(8, 8000))).toBeUndefined();
  expect(estimate.see(decode(1, 60_000))).toBeUndefined();
});

test('a run that is long by its decoding is foretold at its first picture', () => {
  const estimate = new Estimate(10);
  expect(estimate.see(tokens(160, 80_000))).toBeUndefined();
  expect(estimate.see(decode(0, 0))).toBeUndefined();
  expect(estimate.see(decode(1, 11_000))).toBe('this takes about 10 min 10 s for 10 images');
  const one = new Estimate(1);
  expect(one.see(decode(1, 3_600_000, 1))).toBe('this takes about 1 h 00 min for one image');
});

test('a run of ten minutes or less is not', () => {
  const estimate = new Estimate(10);
  expect(estimate.see(tokens(10, 5000))).toBeUndefined();
  expect(estimate.see(decode(1, 9000))).toBeUndefined();
});

test('without a terminal, phases that take turns do not write a line at every turn', () => {
  const { report, stderr } = recordedReport();
  const follow = follower(report, 10);
  const turns = [11, 12, 13, 22].map((seconds) => seconds * 1000);
  for (const ms of turns) {
    follow(tokens(100, ms));
    follow(decode(1, ms / 10));
  }
  expect(stderr().match(/^tokens: /gm)).toHaveLength(2);
  expect(stderr()).not.toContain('decode');
  // Another file begins from zero.
  report.progress({ phase: 'tokens', done: 1, total: 2, elapsedMs: 10_500 });
  expect(stderr().match(/^tokens: /gm)).toHaveLength(3);
});
