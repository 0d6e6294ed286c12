/** How much work an engine queues, on a device that finishes when the test says so. */
import { expect, test } from 'vitest';
import { Feed, MOST_PENDING, type Pace } from '../../src/engine/feed.ts';
import type { Memory } from '../../src/gpu/memory.ts';

/** Work that is done when `finish` is called, oldest first. */
function slowDevice() {
  const finishing: (() => void)[] = [];
  const onSubmittedWorkDone = () => new Promise<void>((resolve) => finishing.push(resolve));
  const memory = { device: { queue: { onSubmittedWorkDone } } } as unknown as Memory;
  const feed = new Feed(memory, { race: (promise) => promise });
  const pace: Pace = { msPerStep: undefined, encode: { ms: 0, steps: 0 } };
  const program = { run: async () => {} };
  const submit = (size: number): void => feed.submit({ program, pace }, size);
  return { feed, pace, submit, finish: () => finishing.shift()?.() };
}

test('a first chunk is one step, and two of them are enough until it is known what they take', () => {
  const { feed, pace, submit } = slowDevice();
  expect(feed.chunkOf(pace)).toBe(1);
  submit(1);
  expect(feed.isFed).toBe(false);
  submit(1);
  expect(feed.isFed).toBe(true);
});

test('chunks have about 50 ms, and 100 ms are queued', () => {
  const { feed, pace, submit } = slowDevice();
  pace.msPerStep = 5;
  expect(feed.chunkOf(pace)).toBe(10);
  submit(10);
  expect(feed.isFed).toBe(false);
  submit(10);
  expect(feed.isFed).toBe(true);
});

test('however short chunks are, no more are under way than have buffers for what is read', async () => {
  const { feed, pace, submit, finish } = slowDevice();
  pace.msPerStep = 0.01;
  for (let i = 1; i < MOST_PENDING; i++) {
    submit(1);
    expect(feed.isFed).toBe(false);
  }
  submit(1);
  expect(feed.isFed).toBe(true);
  finish();
  await feed.settle();
  expect(feed.pending).toBe(MOST_PENDING - 1);
});
