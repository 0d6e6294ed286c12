/** Buffers are counted, limits and memory are checked, failures are typed. */
import { afterEach, describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { DeviceError } from '../../src/errors.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { pipelineFor } from '../../src/gpu/pipelines.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();
const memory = new Memory(device);
afterEach(() => memory.freeAll());

test('use adds up by kind, and frees', () => {
  const a = memory.create('weights', 'a', 100, GPUBufferUsage.STORAGE);
  memory.create('state', 'b', 8, GPUBufferUsage.STORAGE);
  expect(memory.use).toEqual({ weights: 100, state: 8, temp: 0, staging: 0 });
  memory.free([a]);
  expect(memory.use.weights).toBe(0);
  memory.freeAll();
  expect(memory.use).toEqual({ weights: 0, state: 0, temp: 0, staging: 0 });
});

test('a buffer above the binding limit is refused with both numbers', () => {
  const size = device.limits.maxStorageBufferBindingSize + 4;
  const create = () => memory.create('state', 'layers.0.kv', size, GPUBufferUsage.STORAGE);
  expect(create).toThrow(DeviceError);
  expect(create).toThrow(new RegExp(`"layers.0.kv" needs a buffer of ${size} bytes`));
});

describe('checked', () => {
  test('a call that is not valid rejects', async () => {
    const invalid = memory.checked('testing', () => {
      device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    });
    await expect(invalid).rejects.toMatchObject({ name: 'DeviceError', problem: 'validation' });
  });

  test('an error of its own passes through, and the scopes are closed', async () => {
    const reason = new Error('mine');
    await expect(memory.checked('testing', () => Promise.reject(reason))).rejects.toBe(reason);
    await expect(memory.checked('testing', () => 5)).resolves.toBe(5);
  });
});

describe('pipelines', () => {
  test('the same text is compiled once, another text again', () => {
    const kernel = rmsNorm({ rows: 3, dim: 12 });
    const first = pipelineFor(device, kernel);
    expect(pipelineFor(device, rmsNorm({ rows: 3, dim: 12 }))).toBe(first);
    expect(pipelineFor(device, rmsNorm({ rows: 3, dim: 16 }))).not.toBe(first);
  });

  test('a text that does not compile names kernel, place and line', async () => {
    const kernel = rmsNorm({ rows: 1, dim: 4 });
    const broken = { ...kernel, code: kernel.code.replace('inverseSqrt', 'inverseSquirt') };
    await expect(compile(device, broken)).rejects.toThrow(
      /rms_norm f32\[1,4\]: WGSL \d+:\d+: .*inverseSquirt.*\n.*let scale/s,
    );
  });

  test('a missing feature is named', async () => {
    const kernel = { ...rmsNorm({ rows: 1, dim: 4 }), features: ['float32-blendable'] as const };
    await expect(compile(device, kernel)).rejects.toThrow(/needs the device feature/);
  });
});
