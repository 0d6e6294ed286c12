/** How far a sequence is, as far as the host knows, and how many passes it queues from that. */
import { describe, expect, test } from 'vitest';
import { chunkSize } from '../../src/engine/chunk-size.ts';
import { Placed } from '../../src/engine/placed.ts';
import { tokensAPass } from '../../src/engine/window-rates.ts';
import { sampling } from '../support/sampling.ts';

const TOTAL = 100;
const MOST = 50;

const placed = (given = 0): Placed =>
  new Placed({
    ...{ slot: 0, uncondSlot: undefined, condition: 0, window: 'auto' },
    sampling: sampling({ given }),
  });

describe('a sequence', () => {
  test('that has one position a pass is where it must be', () => {
    const one = placed();
    one.submit(1, 7);
    expect(one.at).toMatchObject({ least: 7, most: 7, expected: 7, passes: 7 });
    expect(one.isExact).toBe(true);
  });

  test('passes given tokens for sure, and the first that is drawn', () => {
    const one = placed(9);
    one.submit(5, 2);
    expect(one.at).toMatchObject({ least: 10, most: 10 });
  });

  test('with a window has a token a pass for sure, and all of it at most', () => {
    const one = placed();
    const then = one.submit(8, 10);
    expect(one.at).toMatchObject({ least: 10, most: 80, passes: 10 });
    expect(one.at.expected).toBeCloseTo(10 * tokensAPass(8), 9);
    one.submit(8, 2);
    // More was queued since: it is seen as it was then.
    one.see(31, then);
    expect(one.at).toMatchObject({ least: 33, most: 47 });
    expect(one.seen).toBe(31);
    one.see(35, one.at);
    expect(one.at).toMatchObject({ least: 35, most: 35, expected: 35 });
    expect(one.isExact).toBe(true);
  });

  test('is seen as it was then, whatever was seen meanwhile', () => {
    const one = placed();
    const first = one.submit(8, 1);
    const second = one.submit(8, 1);
    one.see(1, first);
    expect(one.at).toMatchObject({ least: 2, most: 9 });
    one.submit(8, 1);
    one.see(2, second);
    expect(one.at).toMatchObject({ least: 3, most: 10 });
    expect(one.isExact).toBe(false);
    expect(one.at.expected).toBeLessThan(5);
  });

  test('is expected to go on as it went', () => {
    const [fast, slow] = [placed(), placed()];
    fast.see(60, fast.submit(8, 10));
    slow.see(12, slow.submit(8, 10));
    expect(fast.rate(8)).toBeGreaterThan(4);
    expect(fast.rate(8)).toBeLessThanOrEqual(8);
    expect(slow.rate(8)).toBeLessThan(2);
    expect(slow.rate(8)).toBeGreaterThanOrEqual(1);
    expect(fast.rate(1)).toBe(1);
  });
});

describe('a chunk', () => {
  const size = (one: Placed, count: number, every?: number): number =>
    chunkSize([{ placed: one, count, every: [every] }], TOTAL, MOST);

  test('ends where a grid is full or is to be looked at', () => {
    const one = placed();
    expect(size(one, 1)).toBe(MOST);
    one.submit(1, 60);
    expect(size(one, 1)).toBe(40);
    expect(size(one, 1, 25)).toBe(15);
  });

  test('takes given tokens by as many as there are rows, and no others with them', () => {
    expect(size(placed(20), 5)).toBe(4);
    expect(size(placed(20), 21)).toBe(1);
  });

  test('has no more passes than are likely to be of use', () => {
    const one = placed();
    const passes = size(one, 8);
    expect(passes * tokensAPass(8)).toBeGreaterThan(0.8 * TOTAL);
    expect(passes * tokensAPass(8)).toBeLessThan(TOTAL);
    const then = one.submit(8, passes);
    // Until it is known how far it got.
    expect(size(one, 8)).toBe(0);
    one.see(90, then);
    expect(size(one, 8)).toBeGreaterThan(0);
    expect(size(one, 8)).toBeLessThanOrEqual(4);
  });

  test('goes on for others', () => {
    const [full, other] = [placed(), placed()];
    full.submit(8, 60);
    other.submit(1, 60);
    const every = [undefined];
    const wishes = [full, other].map((one, i) => ({ placed: one, count: i === 0 ? 8 : 1, every }));
    expect(chunkSize(wishes, TOTAL, MOST)).toBe(40);
  });
});
