/** Workers behind a queue, each a process of its own, on a real Redis. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { openFolder } from '../../src/node/files.ts';
import type { Backend, JobEvent, ServedModel } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { DEFAULT_QUEUE, queueAddress } from '../../src/serve/queue/address.ts';
import { createQueueBackend } from '../../src/serve/queue/queue-backend.ts';
import { startQueueWorker } from '../../src/serve/queue/queue-worker.ts';
import { BEAT_MS, keysOf, PREFIX } from '../../src/serve/queue/records.ts';
import { ROOT } from '../support/sources.ts';
import { HAS_REDIS, startRedis, type TestRedis } from './redis.ts';
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
const children: Child[] = [];
let redis: TestRedis;
let local: Backend;
let backend: Backend;

const SEEDS = [1, 2, 3, 4];

interface Child {
  readonly process: ChildProcess;
  /** All that it said. */
  said(): string;
}

function startChild(...args: readonly string[]): Child {
  const script = join(ROOT, 'test/serve/queue-child.ts');
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  const started = { process: child, said: () => said };
  children.push(started);
  return started;
}

async function startWorker(): Promise<Child> {
  const child = startChild('worker', folder.path, redis.url);
  await until(() => child.said().includes('ready\n'));
  return child;
}

async function end({ process: child }: Child, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

const expectPixels = (seed: number, events: readonly JobEvent[]): void =>
  expect(Buffer.compare(imageIn(events).picture.rgba, oracle.get(seed)!)).toBe(0);

/** Asks for images, and sends a worker a signal as soon as it draws one of them. */
async function drawUntil(worker: Child | undefined, signal: NodeJS.Signals): Promise<JobEvent[][]> {
  const drawn = (): number => worker?.said().match(/^draws$/gm)?.length ?? 0;
  const before = drawn();
  const all = Promise.all(SEEDS.map((seed) => eventsOf(backend, jobOf(seed))));
  await until(() => drawn() > before);
  worker?.process.kill(signal);
  return all;
}

/** Resolves when nothing waits or is drawn; with the tokens that were drawn until then. */
async function idle(): Promise<number> {
  const queue = new Queue(DEFAULT_QUEUE, { prefix: PREFIX, connection: { url: redis.url } });
  await until(async () => {
    const counts = await queue.getJobCounts('active', 'waiting', 'delayed');
    return Object.values(counts).every((count) => count === 0);
  });
  await queue.close();
  await until(() => backend.load().slotsInUse === 0);
  await new Promise((resolve) => setTimeout(resolve, 2.5 * BEAT_MS));
  return backend.load().tokens;
}

/** The models here, as workers with other kernels have them. */
const otherModels = (): ServedModel[] =>
  local.models.map((model) => ({
    ...model,
    fingerprint: { text: model.fingerprint.text.replace('serial', 'other'), digest: 'other' },
  }));

describe.skipIf(!HAS_REDIS)('a queue', () => {
  let [first, second]: (Child | undefined)[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    writeSlowModel(folder.path);
    local = await createLocalBackend({ files: openFolder(folder.path), capacity: 4 });
    for (const seed of SEEDS) oracle.set(seed, await pixelsOf(local, jobOf(seed)));
    const opening = createQueueBackend({
      address: queueAddress(redis.url),
      onNote: (text) => notes.push(text),
    });
    await until(() => notes.some((note) => note.includes('no worker has come')));
    [first, second] = await Promise.all([startWorker(), startWorker()]);
    backend = await opening;
    await until(() => backend.load().workers === 2);
  });

  afterAll(async () => {
    await backend?.close(0);
    await Promise.all(children.map((child) => end(child, 'SIGKILL')));
    await local?.close(0);
    await redis?.remove();
    folder.remove();
  });

  test('says what its workers draw, and how busy they are', () => {
    expect(backend.models).toEqual(
      local.models.map((model) => ({ ...model, created: expect.any(Number) })),
    );
    expect(backend.ready()).toBe(true);
    expect(backend.load()).toMatchObject({ workers: 2, slots: 8, running: 0, waiting: 0 });
  });

  test('gives the pixels that one process makes, previews on the way', async () => {
    const all = await Promise.all(
      SEEDS.map((seed) => eventsOf(backend, jobOf(seed, { previewEvery: 48 }))),
    );
    for (const [i, events] of all.entries()) {
      expectPixels(SEEDS[i]!, events);
      const types = events.map(({ type }) => type);
      expect(types.slice(0, 2)).toEqual(['queued', 'started']);
      expect(types.slice(-2)).toEqual(['image', 'done']);
      const preview = events.find((event) => event.type === 'preview');
      const { width, height } = imageIn(events).picture;
      expect(preview?.picture.rgba).toHaveLength(4 * width * height);
      expect(preview?.picture).toMatchObject({ width, height });
    }
    expect(await idle()).toBeGreaterThanOrEqual(SEEDS.length * 144);
  });

  test('a worker killed in a job: the other takes it over, to the same pixels', async () => {
    const all = await drawUntil(first, 'SIGKILL');
    for (const [i, events] of all.entries()) expectPixels(SEEDS[i]!, events);
    expect(all.flat().filter(({ type }) => type === 'resumed').length).toBeGreaterThan(0);
    expect(second?.said()).toMatch(/lost its worker: it is taken over/);
    await until(() => backend.load().workers === 1);
    first = await startWorker();
    await until(() => backend.load().workers === 2);
  });

  test('a worker that is stopped hands its jobs back at once', async () => {
    const all = await drawUntil(first, 'SIGTERM');
    for (const [i, events] of all.entries()) expectPixels(SEEDS[i]!, events);
    await until(() => backend.load().workers === 1);
    await until(() => first?.process.exitCode === 0);
  });

  test('a job that nobody waits for leaves its worker, or the queue', async () => {
    const before = await idle();
    const stop = new AbortController();
    const onEvent = ({ type }: JobEvent): void => {
      if (type === 'started') stop.abort();
    };
    // Two run, and the others wait.
    const all = [5, 6, 7, 8, 9, 10].map((seed) =>
      eventsOf(backend, jobOf(seed), { signal: stop.signal, onEvent }).catch((error) => error),
    );
    for (const reason of await Promise.all(all)) expect(reason).toBe(stop.signal.reason);
    // Those that had begun may have been full by then; the last ones never begin.
    expect(await idle()).toBeLessThan(before + 6 * 144);
  });

  test('a job that can never be met fails as it does in one process', async () => {
    const bad = jobOf(1, { condition: { classIndex: 1000 } });
    const error = await eventsOf(backend, bad).catch((e) => e);
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toMatch(/"classIndex" expected/);
  });

  test('what others write into the queue is dropped, and said', async () => {
    const client = new Redis(redis.url);
    const keys = keysOf(DEFAULT_QUEUE);
    const [api = ''] = await client.keys(keys.api('*'));
    const stream = keys.events(api.slice(keys.api('').length));
    const picture = { width: 1000, height: 1000 };
    const events = ['{', '7', '{}', JSON.stringify({ type: 'preview', done: 1, picture })];
    for (const event of events)
      await client.xadd(stream, '*', 'job', 'a', 'by', 'b', 'event', event);
    await client.xadd(stream, '*', 'nothing', 'known');
    client.disconnect();
    const queue = new Queue(DEFAULT_QUEUE, { prefix: PREFIX, connection: { url: redis.url } });
    for (const data of [{}, { format: 99 }, 'text']) await queue.add('image', data);
    await queue.close();
    expectPixels(1, await eventsOf(backend, jobOf(1)));
    await until(() => second?.said().match(/it is dropped/g)?.length === 3);
  });

  test('a worker that would draw other pixels is refused, and told what differs', async () => {
    const other: Backend = {
      models: otherModels(),
      load: () => local.load(),
      submit: (job, options) => local.submit(job, options),
      ready: () => local.ready(),
      close: (deadlineMs) => local.close(deadlineMs),
    };
    const joining = startQueueWorker({ address: queueAddress(redis.url), backend: other });
    await expect(joining).rejects.toThrow(/draw other pixels \(another kernels\)/);
  });

  test('a worker whose queue others took meanwhile stops drawing for it', async () => {
    const failures: unknown[] = [];
    const address = queueAddress(redis.url, 'taken');
    const onFailed = (error: unknown): void => void failures.push(error);
    const worker = await startQueueWorker({ address, backend: local, onFailed });
    const client = new Redis(redis.url);
    await client.set(keysOf('taken').claim, JSON.stringify({ models: otherModels() }));
    client.disconnect();
    await until(() => failures.length > 0);
    expect(failures[0]).toBeInstanceOf(OptionError);
    expect(String(failures[0])).toMatch(/another kernels/);
    await worker.close(0);
  });

  test('an API process that was killed: nobody draws for it, and another one serves', async () => {
    const before = await idle();
    // An idle machine draws 40 in the time after which the process is taken for gone.
    const seeds = Array.from({ length: 400 }, (_, i) => 100 + i);
    const api = startChild('api', redis.url, seeds.join(','));
    await until(() => / started\n/.test(api.said()));
    await end(api, 'SIGKILL');
    const events = await eventsOf(backend, jobOf(1));
    expectPixels(1, events);
    expect(await idle()).toBeLessThan(before + (seeds.length / 2) * 144);
  });

  test('a Redis that is killed and comes back empty: it is told, and jobs reach their end', async () => {
    let isKilled = false;
    const before = notes.length;
    const onEvent = ({ type }: JobEvent): void => {
      if (type !== 'started' || isKilled) return;
      isKilled = true;
      void redis.kill();
    };
    const all = Promise.all(SEEDS.map((seed) => eventsOf(backend, jobOf(seed), { onEvent })));
    await until(() => notes.slice(before).some((note) => note.includes('was lost')));
    expect(backend.ready()).toBe(false);
    const refused = await eventsOf(backend, jobOf(1)).catch((error) => error);
    expect(refused).toMatchObject({ name: 'DeviceError', problem: 'lost' });
    expect(refused.message).toMatch(/cannot be reached/);
    await redis.start();
    for (const [i, events] of (await all).entries()) expectPixels(SEEDS[i]!, events);
    await until(() => notes.slice(before).some((note) => note.includes('is there again')));
    await until(() => backend.ready());
    // What it draws meanwhile may stand between.
    const told = (): string => second?.said().replaceAll('draws\n', '') ?? '';
    await until(() => /was lost.*\n.*is there again/.test(told()));
  });

  test('closing fails what is left, and leaves nothing that stays', async () => {
    const left = eventsOf(backend, jobOf(1)).catch((error) => error);
    await backend.close(0);
    expect(await left).toMatchObject({ problem: 'destroyed' });
    expect(backend.ready()).toBe(false);
    const after = await eventsOf(backend, jobOf(1)).catch((error) => error);
    expect(after).toMatchObject({ problem: 'destroyed' });
    const client = new Redis(redis.url);
    const keys = await client.keys('llamagen-serve:*');
    expect(keys.filter((key) => key.includes(':api:'))).toEqual([]);
    // What a worker had told meanwhile disappears by itself, as all else does.
    const others = keys.filter((key) => !key.endsWith(':workers'));
    for (const key of others) expect(await client.pttl(key)).toBeGreaterThan(0);
    client.disconnect();
  });
});

describe('the address of a queue', () => {
  test.each([
    ['not a url', /expected an address such as redis/],
    ['http://secret@host', /got http:\/\/host/],
    ['redis://host/db', /number of a database, got "db"/],
  ])('%s is refused', (url, message) => {
    expect(() => queueAddress(url)).toThrow(OptionError);
    expect(() => queueAddress(url)).toThrow(message);
  });

  test('is shown without its password', () => {
    expect(queueAddress('rediss://user:secret@host:1234/2').shown).toBe('rediss://host:1234');
  });

  test('that nobody answers at is told with the reason', async () => {
    const opening = createQueueBackend({
      address: queueAddress('redis://127.0.0.1:1'),
      signal: AbortSignal.timeout(300),
    });
    await expect(opening).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
