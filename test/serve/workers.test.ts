/** Child processes that draw: they share the work, and what one drops another picks up. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { openFolder } from '../../src/node/files.ts';
import type { JobEvent } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { createWorkersBackend, type WorkersBackend } from '../../src/serve/workers-backend.ts';
import {
  eventsOf,
  imageIn,
  jobOf,
  pixelsOf,
  tempFolder,
  until,
  writeSlowModel,
} from './worker-jobs.ts';

const folder = tempFolder();
const notes: string[] = [];
const oracle = new Map<number, Uint8Array>();
let backend: WorkersBackend;

const SEEDS = [1, 2, 3, 4];

beforeAll(async () => {
  writeSlowModel(folder.path);
  const local = await createLocalBackend({ files: openFolder(folder.path) });
  for (const seed of SEEDS) oracle.set(seed, await pixelsOf(local, jobOf(seed)));
  await local.close(0);
  backend = await createWorkersBackend({
    folder: folder.path,
    workers: 2,
    capacity: 4,
    pauseMs: 50,
    onNote: (text) => notes.push(text),
  });
});

afterAll(async () => {
  await backend?.close(0);
  folder.remove();
});

test('two workers say that they share one adapter, and what they draw', () => {
  expect(notes.join('\n')).toMatch(/2 workers share one adapter/);
  expect(backend.models.map(({ name }) => name)).toEqual(['tiny']);
  expect(backend.load()).toMatchObject({ workers: 2, waiting: 0, running: 0 });
  expect(new Set(backend.pids).size).toBe(2);
});

test('jobs have the pixels that one process makes of them, and their events in order', async () => {
  const all = await Promise.all(
    SEEDS.map((seed) => eventsOf(backend, jobOf(seed, { previewEvery: 48 }))),
  );
  for (const [i, events] of all.entries()) {
    expect(Buffer.compare(imageIn(events).picture.rgba, oracle.get(SEEDS[i]!)!)).toBe(0);
    const types = events.map(({ type }) => type);
    expect(types.slice(0, 2)).toEqual(['queued', 'started']);
    expect(types.slice(-2)).toEqual(['image', 'done']);
    expect(types).toContain('preview');
  }
  await until(() => backend.load().tokens >= 4 * 144);
  expect(backend.load().slots).toBe(8);
});

test('a worker killed in a job: the job goes on elsewhere, with the same pixels, and the worker comes back', async () => {
  const before = backend.pids;
  const events = await Promise.all(
    SEEDS.map((seed) => {
      let isFirst = seed === SEEDS[0];
      return eventsOf(backend, jobOf(seed, { previewEvery: 24 }), {
        onEvent(event) {
          if (event.type !== 'started' || !isFirst) return;
          isFirst = false;
          process.kill(before[0]!, 'SIGKILL');
        },
      });
    }),
  );
  for (const [i, own] of events.entries()) {
    expect(Buffer.compare(imageIn(own).picture.rgba, oracle.get(SEEDS[i]!)!)).toBe(0);
    const done = own.flatMap((event) => (event.type === 'preview' ? [event.done] : []));
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(own.filter(({ type }) => type === 'started')).toHaveLength(1);
  }
  const resumed = events.flat().filter(({ type }) => type === 'resumed');
  expect(resumed.length).toBeGreaterThan(0);
  expect(notes.join('\n')).toMatch(/worker 1 ended \(SIGKILL\), and its \d images go on elsewhere/);
  expect(backend.load().resets).toBeGreaterThan(0);
  await until(() => backend.load().workers === 2);
  expect(backend.pids).not.toContain(before[0]);
  expect(Buffer.compare(await pixelsOf(backend, jobOf(1)), oracle.get(1)!)).toBe(0);
});

describe('a job that nobody waits for', () => {
  const until0 = (): Promise<void> =>
    until(() => {
      const { waiting, running, slotsInUse } = backend.load();
      return waiting + running + slotsInUse === 0;
    });

  test('leaves its worker when its signal aborts', async () => {
    const stop = new AbortController();
    const onEvent = ({ type }: JobEvent): void => {
      if (type === 'started') stop.abort();
    };
    const reason = await eventsOf(backend, jobOf(9), { signal: stop.signal, onEvent }).catch(
      (e) => e,
    );
    expect(reason).toBe(stop.signal.reason);
    await until0();
  });

  test('leaves it when the loop over its events ends', async () => {
    const { signal } = new AbortController();
    for await (const event of backend.submit(jobOf(9), { signal })) {
      if (event.type === 'started') break;
    }
    await until0();
  });

  test('is not begun when its signal was aborted before', async () => {
    const signal = AbortSignal.abort();
    await expect(eventsOf(backend, jobOf(9), { signal })).rejects.toBe(signal.reason);
  });
});

test('a job that can never be met fails as it does in one process', async () => {
  const bad = jobOf(1, { condition: { classIndex: 1000 } });
  const error = await eventsOf(backend, bad).catch((e) => e);
  expect(error).toBeInstanceOf(OptionError);
  expect(error.message).toMatch(/"classIndex" expected/);
});

test('a folder without a model is refused with its reason', async () => {
  const empty = tempFolder();
  const opening = createWorkersBackend({ folder: empty.path, workers: 1 });
  await expect(opening).rejects.toThrow(/model\.json/);
  empty.remove();
});

test('closing ends what is left after the deadline, and all processes', async () => {
  const { pids } = backend;
  const running = SEEDS.map((seed) => eventsOf(backend, jobOf(seed)).catch((e) => e));
  await until(() => backend.load().running > 0);
  await backend.close(0);
  for (const result of await Promise.all(running)) {
    if (!Array.isArray(result)) expect(result).toMatchObject({ problem: 'destroyed' });
  }
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  expect(backend.ready()).toBe(false);
  const after = await eventsOf(backend, jobOf(1)).catch((e) => e);
  expect(after).toMatchObject({ problem: 'destroyed' });
});
