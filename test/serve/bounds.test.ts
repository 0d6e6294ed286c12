/** What a server keeps for later is bounded: in bytes, in number and in time. */
import { describe, expect, test } from 'vitest';
import type { Drawn } from '../../src/serve/draw.ts';
import { IdempotentRuns } from '../../src/serve/idempotency.ts';
import { ImageStore } from '../../src/serve/image-store.ts';
import type { Asked } from '../../src/serve/read-request.ts';
import { Run } from '../../src/serve/run.ts';

const MIB = 2 ** 20;

/** A clock that a test turns. */
function clock() {
  const time = { now: 0 };
  return { time, now: () => time.now };
}

describe('the store of images', () => {
  const image = (bytes: number) => ({ bytes: new Uint8Array(bytes), type: 'image/png' });

  test('gives up the oldest where there are more bytes than it may have', () => {
    const store = new ImageStore({ maxBytes: 100, ttlMs: 1000 });
    const ids = [40, 40, 20].map((bytes) => store.add(image(bytes)));
    expect([store.size, store.byteLength]).toEqual([3, 100]);
    ids.push(store.add(image(1)));
    expect(ids.map((id) => store.get(id)?.bytes.byteLength)).toEqual([undefined, 40, 20, 1]);
    expect([store.size, store.byteLength]).toEqual([3, 61]);
  });

  test('keeps nothing of an image that is larger than all of it', () => {
    const store = new ImageStore({ maxBytes: 100, ttlMs: 1000 });
    store.add(image(50));
    expect(store.get(store.add(image(101)))).toBeUndefined();
    expect([store.size, store.byteLength]).toEqual([0, 0]);
  });

  test('gives up what is too old', () => {
    const { time, now } = clock();
    const store = new ImageStore({ maxBytes: 100, ttlMs: 1000 }, now);
    const old = store.add(image(1));
    time.now = 600;
    const young = store.add(image(2));
    expect([store.get(old), store.get(young)]).toMatchObject([
      ...[{ remainingMs: 400 }, { remainingMs: 1000 }],
    ]);
    time.now = 1000;
    expect([store.get(old), store.get(young)?.bytes.byteLength]).toEqual([undefined, 2]);
    expect([store.size, store.byteLength]).toEqual([1, 2]);
  });
});

const asked: Asked = Object({ count: 1 });

/** A run of one image whose file has so many bytes. */
function runOf(bytes: number, isShared = true): Run {
  const image: Drawn = Object({ type: 'image', image: 0, seed: 1, promptTokens: 1 });
  async function* draw(): AsyncGenerator<Drawn, void> {
    yield { type: 'taken', image: 0 };
    yield image;
  }
  const run = new Run({ asked, isShared, draw, encode: async () => new Uint8Array(bytes) });
  run.follow();
  return run;
}

describe('runs with a key', () => {
  const bytesOfKey = (runs: IdempotentRuns, key: string, bytes = 1): Run =>
    runs.take({ key, client: 'c', body: { key } }, () => runOf(bytes));

  /** Whether the key still joins this run. */
  const isKept = (runs: IdempotentRuns, key: string, run: Run): boolean =>
    bytesOfKey(runs, key) === run;

  test('are given up from the oldest on where their files are more than 64 MiB', async () => {
    const runs = new IdempotentRuns();
    const all = ['a', 'b', 'c'].map((key) => bytesOfKey(runs, key, 30 * MIB));
    await Promise.all(all.map(({ ended }) => ended));
    // Without another request: the end of the last run is enough.
    expect(runs.byteLength).toBe(60 * MIB);
    expect(isKept(runs, 'c', all[2]!)).toBe(true);
    expect(isKept(runs, 'b', all[1]!)).toBe(true);
    expect(isKept(runs, 'a', all[0]!)).toBe(false);
  });

  test('are given up from the oldest on where there are more than 1000', async () => {
    const runs = new IdempotentRuns();
    const all = Array.from({ length: 1001 }, (_, i) => bytesOfKey(runs, `k${i}`));
    await Promise.all(all.map(({ ended }) => ended));
    expect(runs.byteLength).toBe(1000);
    expect(isKept(runs, 'k1', all[1]!)).toBe(true);
    expect(isKept(runs, 'k0', all[0]!)).toBe(false);
  });

  test('are given up after ten minutes', async () => {
    const { time, now } = clock();
    const runs = new IdempotentRuns(now);
    const run = bytesOfKey(runs, 'a');
    await run.ended;
    time.now = 599_999;
    expect(isKept(runs, 'a', run)).toBe(true);
    time.now = 600_000;
    expect(isKept(runs, 'a', run)).toBe(false);
  });
});

test('a run that nobody can join keeps none of its files', async () => {
  const [kept, own] = [runOf(5), runOf(5, false)];
  await Promise.all([kept.ended, own.ended]);
  expect([kept.byteLength, own.byteLength]).toEqual([5, 0]);
});
