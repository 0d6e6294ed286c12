/** Child processes whose device fails them: what they hand back, and when a job or a worker is given up. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openFolder } from '../../src/node/files.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { createWorkersBackend, type WorkersBackend } from '../../src/serve/workers-backend.ts';
import { givenFile, NO_START, SEED_OF } from './faulty-worker.ts';
import {
  eventsOf,
  imageIn,
  jobOf,
  pixelsOf,
  tempFolder,
  until,
  writeSlowModel,
} from './worker-jobs.ts';

const model = tempFolder();
const faults = tempFolder();
const notes: string[] = [];
const failed: unknown[] = [];
let backend: WorkersBackend;

beforeAll(async () => {
  writeSlowModel(model.path);
  const faulty = new URL('./faulty-worker.ts', import.meta.url).href;
  vi.stubEnv('FAULTS', faults.path);
  vi.stubEnv('NODE_OPTIONS', `--import ${import.meta.resolve('tsx')} --import ${faulty}`);
  backend = await createWorkersBackend({
    folder: model.path,
    workers: 2,
    capacity: 4,
    pauseMs: 20,
    onNote: (text) => notes.push(text),
    onFailed: (error) => failed.push(error),
  });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await backend?.close(0);
  model.remove();
  faults.remove();
});

test('a job that its worker has no room for is drawn by another, to the same pixels', async () => {
  const { pids } = backend;
  const job = jobOf(SEED_OF.handedBackOnce);
  const events = await eventsOf(backend, job);
  expect(events.filter(({ type }) => type === 'resumed')).toHaveLength(1);
  const local = await createLocalBackend({ files: openFolder(model.path) });
  const alone = await pixelsOf(local, job);
  await local.close(0);
  expect(Buffer.compare(imageIn(events).picture.rgba, alone)).toBe(0);
  expect(backend.pids).toEqual(pids);
});

test('a job that no worker has room for fails after three of them, and the others go on', async () => {
  const [error, events] = await Promise.all([
    eventsOf(backend, jobOf(SEED_OF.handedBackAlways)).catch((e) => e),
    eventsOf(backend, jobOf(1)),
  ]);
  expect(error).toMatchObject({ name: 'DeviceError', problem: 'lost' });
  expect(error.message).toMatch(/^3 workers ended or lost their device .* not tried again$/);
  expect(imageIn(events).picture.width).toBeGreaterThan(0);
  expect(backend.load()).toMatchObject({ running: 0, waiting: 0 });
});

test('a job that ends every worker fails after three of them, and all are started again', async () => {
  const before = backend.pids;
  const error = await eventsOf(backend, jobOf(SEED_OF.deadly)).catch((e) => e);
  expect(error.message).toMatch(/^3 workers ended/);
  expect(notes.join('\n')).toMatch(
    /ended \(exit code 4\), and its 1 images go on elsewhere; it is started again/,
  );
  await until(() => backend.load().workers === 2);
  for (const pid of before) expect(backend.pids).not.toContain(pid);
  expect(imageIn(await eventsOf(backend, jobOf(2))).picture.width).toBeGreaterThan(0);
});

test('a worker that cannot start is tried again until it can, and jobs wait meanwhile, those alone that somebody wants', async () => {
  const flag = join(faults.path, NO_START);
  writeFileSync(flag, '');
  for (const pid of backend.pids) process.kill(pid, 'SIGKILL');
  await until(() => notes.some((note) => /does not start: .*\(exit code 3\)/.test(note)));
  expect(backend.ready()).toBe(false);
  const stop = new AbortController();
  const left = eventsOf(backend, jobOf(4), { signal: stop.signal }).catch((e) => e);
  const waiting = eventsOf(backend, jobOf(3));
  await until(() => backend.load().waiting === 2);
  stop.abort();
  expect(await left).toBe(stop.signal.reason);
  expect(backend.load().waiting).toBe(1);
  rmSync(flag);
  expect(imageIn(await waiting).picture.width).toBeGreaterThan(0);
  // Both would have been given to the first worker that is there, in their order.
  expect([3, 4].map((seed) => existsSync(join(faults.path, givenFile(seed))))).toEqual([
    ...[true, false],
  ]);
  await until(() => backend.load().workers === 2);
  expect(failed).toEqual([]);
});

test('workers that never start again are given up, with the jobs that wait for them', async () => {
  writeFileSync(join(faults.path, NO_START), '');
  for (const pid of backend.pids) process.kill(pid, 'SIGKILL');
  await until(() => !backend.ready());
  const waiting = eventsOf(backend, jobOf(1)).catch((e) => e);
  const lost = { problem: 'lost', message: expect.stringMatching(/no worker is left/) };
  expect(await waiting).toMatchObject(lost);
  expect(failed).toMatchObject([lost]);
  expect(notes.join('\n')).toMatch(/worker 1 ended 5 times without an image: it is given up/);
  expect(await eventsOf(backend, jobOf(1)).catch((e) => e)).toMatchObject(lost);
});
