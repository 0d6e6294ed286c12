/** `bind` refuses what would end the process, compute nonsense or fail at the submit. */
import { beforeAll, describe, expect, test } from 'vitest';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { bind, compile } from '../../kernels/compile.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { linear } from '../../kernels/product/linear.ts';
import { nullDevice } from '../support/null-device.ts';

const device = await nullDevice();
const kernel = rmsNorm({ rows: 3, dim: 64 });
const BYTES = { x: 768, gain: 256, out: 768 } as const;

const STORAGE = GPUBufferUsage.STORAGE;
const bufferOf = (size: number, usage = STORAGE): GPUBuffer => device.createBuffer({ size, usage });
const binding = (size: number): GPUBufferBinding => ({ buffer: bufferOf(size) });

let pipeline: GPUComputePipeline;
let good: Record<'x' | 'gain' | 'out', GPUBufferBinding>;
beforeAll(async () => {
  pipeline = await compile(device, kernel);
  good = { x: binding(BYTES.x), gain: binding(BYTES.gain), out: binding(BYTES.out) };
});

/** As callers without types call it. */
const bound = (buffers: unknown, of: GPUComputePipeline = pipeline) =>
  bind(device, kernel, of, buffers as typeof good);

describe('bind takes', () => {
  const takes = async (buffers: Record<string, unknown>): Promise<void> => {
    device.pushErrorScope('validation');
    bound(buffers);
    expect(await device.popErrorScope()).toBeNull();
  };

  test('buffers of the right size, larger ones, and ranges at aligned offsets', async () => {
    await takes(good);
    await takes({ ...good, x: binding(1024) });
    await takes({ ...good, x: { buffer: bufferOf(1024), offset: 256 } });
    await takes({ ...good, gain: { buffer: bufferOf(1024), offset: 512, size: 256 } });
  });

  test('one buffer that is only read, and ranges of one that are written apart', async () => {
    const both = bufferOf(1024);
    await takes({ ...good, x: { buffer: both }, gain: { buffer: both } });
    const writesTwo = ropeCache({
      ...{ rows: 1, nHead: 1, nKvHead: 1, headDim: 4, slots: 1, positions: 4 },
    });
    const made = await compile(device, writesTwo);
    const ins = { qkv: binding(48), rope: binding(64), rowTable: binding(16) };
    const outs = (offset: number) => ({
      kv: { buffer: both, size: 128 },
      q: { buffer: both, offset, size: 16 },
    });
    expect(bind(device, writesTwo, made, { ...ins, ...outs(256) })).toBeInstanceOf(GPUBindGroup);
    expect(() => bind(device, writesTwo, made, { ...ins, ...outs(0) })).toThrow(
      /"q" and "kv" are one buffer, and one of them is written/,
    );
  });

  test('the buffers that come with parameters', async () => {
    const product = linear({
      rows: 1,
      inDim: 4,
      outDim: 4,
      dtype: 'int8',
      normEps: 1e-5,
      residual: true,
    });
    const made = await compile(device, product);
    const [x, gain, residual, out] = [binding(16), binding(16), binding(16), binding(16)];
    const buffers = { x, weight: binding(16), weightScales: binding(16), gain, residual, out };
    expect(bind(device, product, made, buffers)).toBeInstanceOf(GPUBindGroup);
    // @ts-expect-error one that all products have is missing
    expect(() => bind(device, product, made, { ...buffers, x: undefined })).toThrow(/"x" expected/);
  });

  test('a pipeline that was made without compile', async () => {
    const code = kernel.code;
    const module = device.createShaderModule({ code });
    const own = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
    expect(bound(good, own)).toBeInstanceOf(GPUBindGroup);
  });
});

describe('bind refuses', () => {
  const where = 'rms_norm f32[3,64]';
  const wrong: [string, () => unknown, string][] = [
    [
      'an unknown name',
      () => ({ ...good, gains: good.gain }),
      `${where}: unknown binding "gains", did you mean "gain"? ${where} takes x, gain, out`,
    ],
    ['no buffers', () => undefined, `${where}: expected an object, got undefined: ${where} takes`],
    [
      'a missing buffer',
      () => ({ x: good.x, gain: good.gain }),
      `${where}: "out" expected { buffer: GPUBuffer } of 768 bytes, got undefined`,
    ],
    [
      'null',
      () => ({ ...good, x: null }),
      '"x" expected { buffer: GPUBuffer } of 768 bytes, got null',
    ],
    [
      'a buffer where a binding belongs',
      () => ({ ...good, x: good.x.buffer }),
      '"x" expected { buffer: GPUBuffer } of 768 bytes, got the buffer itself',
    ],
    [
      'an array',
      () => ({ ...good, x: { buffer: new Float32Array(192) } }),
      '"x" expected { buffer: GPUBuffer } of 768 bytes, got',
    ],
    [
      'a buffer that is too small',
      () => ({ ...good, out: binding(764) }),
      `${where}: "out" expected at least 768 bytes for f32[3,64], got 764`,
    ],
    [
      'a range that is too small',
      () => ({ ...good, x: { buffer: bufferOf(1024), size: 512 } }),
      '"x" expected at least 768 bytes for f32[3,64], got 512',
    ],
    [
      'the rest of a buffer that is too small',
      () => ({ ...good, x: { buffer: bufferOf(1020), offset: 256 } }),
      '"x" expected at least 768 bytes for f32[3,64], got 764',
    ],
    [
      'a range past the end',
      () => ({ ...good, x: { buffer: bufferOf(1024), offset: 512, size: 768 } }),
      '"x" expected a size that is a multiple of 4 and ends within the buffer\'s 1024 bytes, got 768 from 512',
    ],
    [
      'a size of half a word',
      () => ({ ...good, x: { buffer: bufferOf(1024), size: 770 } }),
      '"x" expected a size that is a multiple of 4',
    ],
    [
      'an offset that is not aligned',
      () => ({ ...good, x: { buffer: bufferOf(1024), offset: 128 } }),
      '"x" expected an offset that is a multiple of 256, got 128',
    ],
    [
      'an offset that is no number',
      () => ({ ...good, x: { buffer: bufferOf(1024), offset: '256' } }),
      '"x" expected an offset that is a multiple of 256, got "256"',
    ],
    [
      'a buffer for something else',
      () => ({ ...good, x: { buffer: bufferOf(1024, GPUBufferUsage.COPY_DST) } }),
      `"x" expected a buffer with the usage STORAGE, got usage ${GPUBufferUsage.COPY_DST}`,
    ],
    [
      'a buffer that is read and written',
      () => ({ ...good, out: good.x }),
      `${where}: "out" and "x" are one buffer, and one of them is written`,
    ],
    [
      'other ranges of a buffer that is read and written',
      () => {
        const buffer = bufferOf(2048);
        return { ...good, x: { buffer, size: 768 }, out: { buffer, offset: 1024 } };
      },
      '"out" and "x" are one buffer, and one of them is written',
    ],
  ];

  test.each(wrong)('%s', (_, buffers, message) => {
    expect(() => bound(buffers())).toThrow(RangeError);
    expect(() => bound(buffers())).toThrow(message);
  });

  test('packed halves and integers by the bytes they take', async () => {
    for (const [dtype, bytes] of [
      ['f16', 128],
      ['int8', 64],
    ] as const) {
      const packed = linear({ rows: 1, inDim: 64, outDim: 1, dtype });
      const made = await compile(device, packed);
      const buffers = { x: binding(256), weight: binding(bytes - 4), out: binding(4) };
      const more = dtype === 'int8' ? { weightScales: binding(4) } : {};
      expect(() => bind(device, packed, made, { ...buffers, ...more })).toThrow(
        `"weight" expected at least ${bytes} bytes for ${dtype}[1,64], got ${bytes - 4}`,
      );
    }
  });

  test('the pipeline of another kernel, or of another device', async () => {
    const other = await compile(device, rmsNorm({ rows: 3, dim: 60 }));
    expect(() => bound(good, other)).toThrow(/compiled from another kernel's text/);
    const foreign = await compile(await nullDevice(), kernel);
    expect(() => bound(good, foreign)).toThrow(/compiled for another device/);
  });
});

test('what only WebGPU can tell reaches the error scope of the caller', async () => {
  const foreign = (await nullDevice()).createBuffer({ size: BYTES.x, usage: STORAGE });
  device.pushErrorScope('validation');
  bound({ ...good, x: { buffer: foreign } });
  expect((await device.popErrorScope())?.message).toMatch(/cannot be used with/);
});

test('a layout that the device refuses is an error of compile, and of nobody else', async () => {
  const bindings = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [
      `b${i}`,
      { role: 'in', dtype: 'f32', shape: [1] } as const,
    ]),
  );
  let stray = 0;
  device.addEventListener('uncapturederror', () => stray++);
  await expect(compile(device, { ...kernel, bindings })).rejects.toThrow(
    /^rms_norm.*storage buffers/s,
  );
  expect(stray).toBe(0);
});
