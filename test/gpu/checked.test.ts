/** Errors of a device reach the work that made them, and no other, however much runs at once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { DeviceError } from '../../src/errors.ts';
import { checked } from '../../src/gpu/checked.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { build } from '../../src/gpu/program.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { catchStrayErrors, watchDevice } from '../../src/gpu/watch.ts';
import { Graph } from '../../src/graph/graph.ts';
import { loadModel, type ModelFiles } from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { testDevice } from '../support/device.ts';
import { type Fate, failingDevice } from '../support/failing-device.ts';
import { tinyFolder } from '../support/tiny-model.ts';

let device: GPUDevice;
let stray = 0;
const listenTo = (on: GPUDevice): void => {
  device = on;
  on.addEventListener('uncapturederror', () => stray++);
};

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

/** Reads of it take a while, so that others come between. */
function slowFolder(): ModelFiles {
  const folder = tinyFolder();
  return {
    name: folder.name,
    async open(file) {
      const source = await folder.open(file);
      const read = async (offset: number, length: number) => {
        await tick();
        return source.read(offset, length);
      };
      return { name: source.name, byteLength: source.byteLength, read };
    },
  };
}

/** Builds a program that no device has compiled before. */
async function buildOne(on: GPUDevice, dim: number): Promise<Memory> {
  const memory = new Memory(on);
  const g = new Graph();
  const gain = g.state('gain', 'f32', [dim]);
  const first = g.call(rmsNorm({ rows: 1, dim }), { x: g.state('x', 'f32', [1, dim]), gain });
  g.call(rmsNorm({ rows: 1, dim }), { x: first.out, gain });
  await build(memory, g, { weights: new Map() });
  return memory;
}

const noMemory = { weights: 0, state: 0, temp: 0, staging: 0 };
const refused = (what: RegExp) => ({
  status: 'rejected',
  reason: { name: 'DeviceError', problem: 'validation', message: expect.stringMatching(what) },
});

describe.each([
  ['with validation', undefined],
  ['without', '0'],
])('on a device %s', (_, validation) => {
  beforeAll(async () => {
    vi.stubEnv('LLAMAGEN_VALIDATION', validation);
    const cache = mkdtempSync(join(tmpdir(), 'llamagen-checked-'));
    vi.stubEnv('LLAMAGEN_CACHE', cache);
    const opened = await openDevice({ tuned: false });
    vi.unstubAllEnvs();
    expect(opened.validation).toBe(!validation);
    listenTo(opened.device);
    return () => {
      opened.close();
      rmSync(cache, { recursive: true });
    };
  });

  describe.each<[Fate, RegExp]>([
    ['refused', /^allocating the weights of .*gpt\.safetensors/],
    ['dropped', /^loading .*gpt\.safetensors: .*destroyed/],
  ])('weights that are %s', (fate, message) => {
    test('fail their load, not the loads and builds beside it, and all memory is freed', async () => {
      stray = 0;
      const failing = failingDevice(device, /^weights from/, fate);
      const dim = fate === 'refused' ? 268 : 272;
      const [before, bad, built, after] = await Promise.allSettled([
        loadModel(device, slowFolder()),
        loadModel(failing.device, slowFolder()),
        buildOne(device, dim),
        loadModel(device, slowFolder()),
      ]);
      expect(bad).toMatchObject(refused(message));
      for (const { status } of [before, built, after]) expect(status).toBe('fulfilled');
      expect([...failing.left.values()]).toEqual([]);
      if (before.status === 'fulfilled') before.value.destroy();
      if (after.status === 'fulfilled') after.value.destroy();
      expect(stray).toBe(0);
    });
  });

  test('a build that fails beside builds and loads rejects alone, and frees what it made', async () => {
    stray = 0;
    const failing = failingDevice(device, /^temp 1/, 'refused');
    const [first, bad, load] = await Promise.allSettled([
      buildOne(device, 276),
      buildOne(failing.device, 280),
      loadModel(device, slowFolder()),
    ]);
    expect(bad).toMatchObject(refused(/^building the program: /));
    expect([first.status, load.status]).toEqual(['fulfilled', 'fulfilled']);
    expect([...failing.left.values()]).toEqual([]);
    expect(stray).toBe(0);
  });

  describe('work', () => {
    test('on a buffer that is gone rejects where it was made: runs, and readbacks', async () => {
      stray = 0;
      const memory = new Memory(device);
      const g = new Graph();
      const x = g.state('x', 'f32', [1, 8]);
      g.call(rmsNorm({ rows: 1, dim: 8 }), { x, gain: g.state('gain', 'f32', [8]) });
      const program = await build(memory, g, { weights: new Map() });
      await program.run();
      program.bufferOf(x).destroy();
      const gone = { name: 'DeviceError', problem: 'validation', message: /used in submit while/ };
      const outcomes = await Promise.allSettled([
        program.run(),
        checked(device, 'something else', () => 5),
        readBuffer(memory, program.bufferOf(x)),
      ]);
      const error = { ...gone, message: expect.stringMatching(gone.message) };
      expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: error });
      expect(outcomes[1]).toEqual({ status: 'fulfilled', value: 5 });
      expect(outcomes[2]).toMatchObject({ status: 'rejected', reason: error });
      expect(memory.use.staging).toBe(0);
      memory.freeAll();
      expect(stray).toBe(0);
    });

    test('that throws closes its scopes, and nobody needs to await it', async () => {
      const reason = new Error('mine');
      const throws = checked(device, 'testing', () => {
        throw reason;
      });
      const invalid = checked(device, 'testing', () => {
        device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
      });
      await tick();
      await expect(throws).rejects.toBe(reason);
      await expect(invalid).rejects.toThrow(/^testing: /);
      expect(await checked(device, 'testing', async () => 'later')).toBe('later');
    });
  });
});

describe('a closed memory', () => {
  beforeAll(async () => listenTo(await testDevice()));

  test('frees all, gives no more, and fails what waits and what comes', async () => {
    const memory = new Memory(device);
    const watch = watchDevice(device);
    memory.create('state', 'x', 16, GPUBufferUsage.STORAGE);
    const waiting = memory.watch.race(new Promise(() => {}));
    const reason = new DeviceError('destroyed', 'gone');
    memory.close(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(memory.watch.race(Promise.resolve(1))).rejects.toBe(reason);
    expect(() => memory.watch.check()).toThrow(reason);
    expect(() => memory.create('state', 'x', 16, GPUBufferUsage.STORAGE)).toThrow(reason);
    expect(memory.use).toEqual(noMemory);
    expect(await watch.race(Promise.resolve(1))).toBe(1);
  });
});

describe('stray errors', () => {
  /** As much of a device as a watch sees. */
  const fakeDevice = () => {
    const listeners: ((event: unknown) => void)[] = [];
    const addEventListener = vi.fn((_: string, listener: (event: unknown) => void) => {
      listeners.push(listener);
    });
    const fake = { lost: new Promise(() => {}), addEventListener };
    const report = (message: string): void => {
      for (const listener of listeners) listener({ error: { message } });
    };
    return { fake: fake as unknown as GPUDevice, addEventListener, report };
  };

  test('of an app on its own device are not ours to hear', async () => {
    const { fake, addEventListener } = fakeDevice();
    expect(await watchDevice(fake).race(Promise.resolve(1))).toBe(1);
    expect(await new Memory(fake).watch.race(Promise.resolve(1))).toBe(1);
    expect(addEventListener).not.toHaveBeenCalled();
  });

  test('of a device of ours reach what runs', async () => {
    const { fake, report } = fakeDevice();
    const seen: string[] = [];
    catchStrayErrors(fake, ({ error }) => seen.push(error.message));
    const { watch } = new Memory(fake);
    const running = watch.race(new Promise(() => {}));
    report('oops');
    await expect(running).rejects.toThrow('the device reported an error: oops');
    expect(await watch.race(Promise.resolve(1))).toBe(1);
    expect(seen).toEqual(['oops']);
  });

  test('or else the next use, once', async () => {
    const { fake, report } = fakeDevice();
    catchStrayErrors(fake);
    report('first');
    report('second');
    const { watch } = new Memory(fake);
    await expect(watch.race(Promise.resolve(1))).rejects.toThrow(/first/);
    expect(await watch.race(Promise.resolve(1))).toBe(1);
    report('third');
    expect(() => watch.check()).toThrow(/third/);
    expect(() => watch.check()).not.toThrow();
  });
});
