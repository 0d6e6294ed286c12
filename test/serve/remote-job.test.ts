/** What workers need and what has no process: jobs in the hands of others, errors, GPUs of a machine. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DeviceError, OptionError, WeightsError } from '../../src/errors.ts';
import type { JobEvent } from '../../src/serve/backend.ts';
import { gpusOf } from '../../src/serve/gpus.ts';
import { RemoteJob } from '../../src/serve/remote-job.ts';
import { fromWire, toWire } from '../../src/wire-error.ts';
import { jobOf } from './worker-jobs.ts';

const picture = { width: 1, height: 1, rgba: new Uint8Array(4) };
const END: readonly JobEvent[] = [
  { type: 'image', picture, promptTokens: 1, passes: 16, decodeMs: 1 },
  { type: 'done' },
];
const RUN: readonly JobEvent[] = [
  { type: 'queued', ahead: 0 },
  { type: 'started' },
  { type: 'preview', done: 4, picture },
  { type: 'preview', done: 8, picture },
  ...END,
];

describe('a job that others draw', () => {
  const begin = (signal = new AbortController().signal): { job: RemoteJob; gone: string[] } => {
    const gone: string[] = [];
    return { job: new RemoteJob('a', jobOf(1), signal, ({ id }) => gone.push(id)), gone };
  };

  test('tells of a second worker only what the first had not told', async () => {
    const { job, gone } = begin();
    const seen: JobEvent[] = [];
    const taking = (async () => {
      for await (const event of job.events) seen.push(event);
    })();
    for (const event of RUN.slice(0, 3)) job.take(event);
    job.resume();
    for (const event of RUN) job.take(event);
    await taking;
    const kinds = seen.map((event) => event.type + ('done' in event ? ` ${event.done}` : ''));
    // Of those that nobody took in time the latest is enough.
    expect(kinds.filter((kind) => !/preview/.test(kind))).toEqual([
      ...['queued', 'started', 'resumed 0', 'image', 'done'],
    ]);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(gone).toEqual(['a']);
  });

  test('that two drew side by side has one image and one end', async () => {
    const { job, gone } = begin();
    for (const event of RUN) {
      job.take(event);
      job.take(event);
      if (event.type === 'image') job.resume();
    }
    const types: string[] = [];
    for await (const { type } of job.events) types.push(type);
    expect(types.filter((type) => ['image', 'done', 'resumed'].includes(type))).toEqual([
      ...['image', 'done'],
    ]);
    expect(gone).toEqual(['a']);
    expect(job.isDone).toBe(true);
  });

  test('keeps no more than the latest preview for a reader that is slow', async () => {
    const { job } = begin();
    for (let done = 1; done <= 1000; done++) job.take({ type: 'preview', done, picture });
    for (const event of END) job.take(event);
    const seen: JobEvent[] = [];
    for await (const event of job.events) seen.push(event);
    expect(seen).toEqual([{ type: 'preview', done: 1000, picture }, ...END]);
  });

  test('is not done without its image: another may draw it', () => {
    const { job, gone } = begin();
    job.take({ type: 'started' });
    job.take({ type: 'done' });
    expect([job.isDone, gone]).toEqual([false, []]);
    for (const event of RUN) job.take(event);
    expect([job.isDone, gone]).toEqual([true, ['a']]);
  });

  test.each([
    ['its signal aborts', (_: RemoteJob, stop: AbortController) => stop.abort()],
    ['its reader leaves', (job: RemoteJob) => void job.events.return()],
    ['it fails', (job: RemoteJob) => job.fail(new Error('no'))],
    ['it is done', (job: RemoteJob) => void END.map((event) => job.take(event))],
  ])('is over once, when %s', (_, end) => {
    const stop = new AbortController();
    const { job, gone } = begin(stop.signal);
    end(job, stop);
    stop.abort();
    job.fail(new Error('later'));
    expect(gone).toEqual(['a']);
  });
});

test.each([
  new OptionError('"seed" expected an integer'),
  new WeightsError('not finite'),
  new DeviceError('out-of-memory', 'no room'),
  new TypeError('a fault of ours'),
])('%o is the same kind of error on the other side', (error) => {
  const told = fromWire(JSON.parse(JSON.stringify(toWire(error))));
  expect(told.name).toBe(error.name);
  expect(told.message).toBe(error.message);
  if (!(error instanceof TypeError)) expect(told).toBeInstanceOf(error.constructor);
  if (error instanceof DeviceError) expect(told).toMatchObject({ problem: error.problem });
});

test('what is no error is told as one', () => {
  expect(fromWire(toWire('text'))).toMatchObject({ name: 'Error', message: 'text' });
});

describe('GPUs of a machine', () => {
  let root = '';
  /** A file system with devices at these addresses. */
  const machine = (addresses: readonly string[], hasLayer: boolean): string => {
    root = mkdtempSync(join(tmpdir(), 'llamagen-gpus-'));
    for (const [i, address] of addresses.entries()) {
      const device = join(root, 'sys/devices', address);
      mkdirSync(device, { recursive: true });
      const entry = join(root, 'sys/class/drm', `renderD${128 + i}`);
      mkdirSync(entry, { recursive: true });
      symlinkSync(device, join(entry, 'device'));
    }
    const layers = join(root, 'usr/share/vulkan/implicit_layer.d');
    mkdirSync(layers, { recursive: true });
    if (hasLayer) writeFileSync(join(layers, 'VkLayer_MESA_device_select.json'), '{}');
    return root;
  };
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test('are given out one by one, in the order of the bus', () => {
    const two = gpusOf(3, machine(['0000:81:00.0', '0000:01:00.0'], true));
    expect(two.environments).toEqual([
      { DRI_PRIME: 'pci-0000_01_00_0' },
      { DRI_PRIME: 'pci-0000_81_00_0' },
      { DRI_PRIME: 'pci-0000_01_00_0' },
    ]);
    expect(two.note).toMatch(/3 workers share 2 GPUs/);
  });

  test.each([
    ['one GPU', ['0000:01:00.0'], true, /share one adapter, as this machine shows one GPU/],
    ['none', [], true, /share one adapter, as this machine shows no GPU/],
    ['no layer', ['0000:01:00.0', '0000:81:00.0'], false, /mesa-vulkan-drivers/],
  ])('with %s are shared, and that is said', (_, addresses, hasLayer, note) => {
    const shared = gpusOf(2, machine(addresses, hasLayer));
    expect(shared.environments).toEqual([{}, {}]);
    expect(shared.note).toMatch(note);
  });

  test('are not looked at for one worker', () => {
    expect(gpusOf(1, machine([], false))).toEqual({ environments: [{}] });
  });
});
