/** A device without Dawn's validation says what is wrong as one with it does. */
import { afterAll, describe, expect, test } from 'vitest';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { pipelineFor } from '../../src/gpu/pipelines.ts';
import { build, type Program } from '../../src/gpu/program.ts';
import { guardDevice } from '../../src/gpu/unvalidated.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { Tensor } from '../../src/graph/tensor.ts';
import { nullDevice } from '../support/null-device.ts';

const device = await nullDevice({ validation: false });
const asked: string[] = [];
guardDevice(device, async ({ label }) => {
  asked.push(label);
  if (label.includes('[1,20]')) throw new Error('the device with validation says no');
});
const other = await nullDevice();
afterAll(() => device.destroy());

const { STORAGE, COPY_SRC, COPY_DST, MAP_READ, MAP_WRITE } = GPUBufferUsage;
const bufferOf = (usage: number, size = 64): GPUBuffer =>
  device.createBuffer({ label: 'mine', size, usage });

/** The error that work makes, if any. */
async function errorOf(work: () => void): Promise<string | undefined> {
  device.pushErrorScope('validation');
  work();
  return (await device.popErrorScope())?.message;
}

/** Records the first dispatch of a program alone, as a profiler does. */
function recordOne(program: Program): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  program.encodeStep(pass, 0);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** Two norms, one after the other, and what they read. */
async function programOn(memory: Memory): Promise<{ program: Program; x: Tensor }> {
  const g = new Graph();
  const x = g.state('x', 'f32', [1, 8]);
  const gain = g.state('gain', 'f32', [8]);
  const { out } = g.call(rmsNorm({ rows: 1, dim: 8 }), { x, gain });
  g.call(rmsNorm({ rows: 1, dim: 8 }), { x: out, gain });
  return { program: await build(memory, g, { weights: new Map() }), x };
}

describe('a buffer', () => {
  test.each([
    ['read by the host and bound', MAP_READ | STORAGE],
    ['written by the host and copied to', MAP_WRITE | COPY_DST],
    ['for nothing', 0],
  ])('%s is refused, and whoever copies it', async (_, usage) => {
    let made: GPUBuffer | undefined;
    const why = await errorOf(() => {
      made = bufferOf(usage);
    });
    expect(why).toMatch(/^\[Buffer "mine"\]: usage/);
    const copied = await errorOf(() => {
      device.createCommandEncoder().copyBufferToBuffer(made!, 0, bufferOf(COPY_DST), 0, 4);
    });
    expect(copied).toMatch(/"mine"\] is invalid/);
  });

  test('that is larger than any can be is refused', async () => {
    const most = device.limits.maxBufferSize;
    expect(await errorOf(() => bufferOf(STORAGE, most + 4))).toMatch(/are more than the/);
  });

  test('for what buffers are for is not', async () => {
    for (const usage of [MAP_READ | COPY_DST, MAP_WRITE | COPY_SRC, STORAGE | COPY_SRC]) {
      expect(await errorOf(() => bufferOf(usage))).toBeUndefined();
    }
  });
});

describe('a copy', () => {
  const [from, to, gone] = [bufferOf(COPY_SRC), bufferOf(COPY_DST), bufferOf(COPY_SRC)];
  gone.destroy();
  const copy = (source: GPUBuffer, offset: number, size: number) =>
    errorOf(() => {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(source, offset, to, 0, size);
      device.queue.submit([encoder.finish()]);
    });

  test('of a part is fine, and one past the end or of half a word is not', async () => {
    expect(await copy(from, 32, 32)).toBeUndefined();
    expect(await copy(from, 32, 36)).toMatch(/^Copy range 32 to 68 is not within/);
    expect(await copy(from, 0, 6)).toMatch(/^Copy range/);
  });

  test('of a buffer that is gone, or of another device, is an error', async () => {
    expect(await copy(gone, 0, 4)).toMatch(/used in submit while destroyed/);
    const foreign = other.createBuffer({ label: 'theirs', size: 64, usage: COPY_SRC });
    expect(await copy(foreign, 0, 4)).toMatch(/"theirs"\] is of another device/);
  });
});

test('a copy into a texture that is gone, or of another device, is an error', async () => {
  const size = [4, 4];
  const wanted = { label: 'mine', size, format: 'rgba8unorm', usage: COPY_DST } as const;
  const buffer = bufferOf(COPY_SRC, 1024);
  const copy = (texture: GPUTexture) =>
    errorOf(() => {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToTexture({ buffer, bytesPerRow: 256 }, { texture }, size);
      device.queue.submit([encoder.finish()]);
    });
  const [there, gone] = [device.createTexture(wanted), device.createTexture(wanted)];
  gone.destroy();
  expect(await copy(there)).toBeUndefined();
  expect(await copy(gone)).toMatch(/^\[Texture "mine"\] used in submit while destroyed/);
  const foreign = other.createTexture({ ...wanted, label: 'theirs' });
  expect(await copy(foreign)).toMatch(/^\[Texture "theirs"\] is of another device/);
});

test('a buffer of another device cannot be bound', async () => {
  const layout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'storage' } }],
  });
  const bound = (buffer: GPUBuffer) =>
    errorOf(() => {
      device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] });
    });
  expect(await bound(bufferOf(STORAGE))).toBeUndefined();
  const foreign = other.createBuffer({ size: 64, usage: STORAGE });
  expect(await bound(foreign)).toMatch(/is of another device/);
});

describe('a program', () => {
  test('runs until a buffer of its own is gone, whoever destroys others', async () => {
    const memory = new Memory(device);
    const { program, x } = await programOn(memory);
    await program.run(2);
    expect(await errorOf(() => recordOne(program))).toBeUndefined();
    expect(() => recordOne({ ...program, encodeStep: (p) => program.encodeStep(p, 2) })).toThrow(
      'step 2 of 2',
    );
    bufferOf(STORAGE).destroy();
    await program.run();
    program.bufferOf(x).destroy();
    const error = { name: 'DeviceError', problem: 'validation' };
    for (let again = 0; again < 2; again++) {
      await expect(program.run()).rejects.toMatchObject(error);
      await expect(program.run()).rejects.toThrow(/^running the program: .*"x"\] used in submit/);
      expect(await errorOf(() => recordOne(program))).toMatch(/"x"\] used in submit/);
    }
    memory.freeAll();
  });

  test('fails the one call that is wrong, not those beside it', async () => {
    const [good, bad] = [new Memory(device), new Memory(device)];
    const [one, two] = [await programOn(good), await programOn(bad)];
    bad.freeAll();
    const [a, b, c] = await Promise.allSettled([
      one.program.run(),
      two.program.run(),
      one.program.run(),
    ]);
    expect([a.status, b.status, c.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    good.freeAll();
  });

  test('is not built with more workgroups than a device takes', async () => {
    const memory = new Memory(device);
    const g = new Graph();
    const kernel = { ...rmsNorm({ rows: 1, dim: 8 }), workgroups: [1, 65_536, 1] as const };
    g.call(kernel, { x: g.state('x', 'f32', [1, 8]), gain: g.state('gain', 'f32', [8]) });
    const built = build(memory, g, { weights: new Map() });
    await expect(built).rejects.toThrow(/needs 1x65536x1 workgroups, .* at most 65535/);
    await expect(built).rejects.toMatchObject({ name: 'DeviceError', problem: 'limit' });
  });
});

test('a kernel is compiled once it was accepted, and another one may be', async () => {
  const kernel = rmsNorm({ rows: 1, dim: 12 });
  await Promise.all([pipelineFor(device, kernel), pipelineFor(device, kernel)]);
  expect(asked.filter((label) => label === kernel.label)).toHaveLength(1);
  const refused = rmsNorm({ rows: 1, dim: 20 });
  await expect(pipelineFor(device, refused)).rejects.toThrow('validation says no');
});

test('an error outside of scopes is a stray one', async () => {
  const told = new Promise<string>((resolve) => {
    device.addEventListener(
      'uncapturederror',
      (event) => {
        event.preventDefault();
        resolve(event.error.message);
      },
      { once: true },
    );
  });
  bufferOf(MAP_READ | STORAGE);
  expect(await told).toMatch(/maps a buffer/);
});
