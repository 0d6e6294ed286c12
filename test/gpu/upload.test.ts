import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { halvesOfFilter } from '../../kernels/conv/halves-of-filter.ts';
import { DeviceError, WeightsError } from '../../src/errors.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { uploadWeights } from '../../src/gpu/upload.ts';
import { wantedTensors } from '../../src/gpu/upload-plan.ts';
import { Graph } from '../../src/graph/graph.ts';
import { byteLength, type Tensor } from '../../src/graph/tensor.ts';
import { openSafetensors, type Safetensors } from '../../src/weights/safetensors.ts';
import { type ByteSource, memorySource } from '../../src/weights/source.ts';
import { difference } from '../oracle/compare.ts';
import { halvesOfFilter as oracle } from '../oracle/halves.ts';
import { testDevice } from '../support/device.ts';
import { packF16, roundF16, unpackF16 } from '../support/f16.ts';
import { normal } from '../support/random.ts';
import {
  bytesOf,
  countingSource,
  rawFile,
  type StoredTensor,
  toBf16,
  writeSafetensors,
} from '../support/safetensors.ts';

let memory: Memory;
beforeAll(async () => {
  memory = new Memory(await testDevice());
});

const weight = (name: string, dtype: Tensor['dtype'], ...shape: number[]): Tensor => ({
  name,
  dtype,
  shape,
  life: 'weight',
});

const values = normal(15, 3);
const stored: Record<string, StoredTensor> = {
  single: { dtype: 'F32', shape: [3, 5], bytes: bytesOf(values) },
  half: { dtype: 'F16', shape: [3, 5], bytes: bytesOf(packF16(values)).subarray(0, 30) },
  brain: { dtype: 'BF16', shape: [3, 5], bytes: bytesOf(toBf16(values)) },
};
/** What each stored tensor means, in floats. */
const meant: Record<string, Float32Array> = {
  single: values,
  half: roundF16(values),
  brain: new Float32Array(Uint32Array.from(toBf16(values), (bits) => bits << 16).buffer),
};

const open = (tensors: Record<string, StoredTensor>): Promise<Safetensors> =>
  openSafetensors(memorySource('file', writeSafetensors(tensors)));

/** The same file, its bytes read from other sources. */
const withSources = (
  file: Safetensors,
  change: (source: ByteSource) => ByteSource,
): Safetensors => ({
  ...file,
  tensors: new Map(
    [...file.tensors].map(([name, entry]) => [name, { ...entry, source: change(entry.source) }]),
  ),
});

/** Words of one binding. */
async function read({
  buffer,
  offset = 0,
  size,
}: GPUBufferBinding): Promise<Uint32Array<ArrayBuffer>> {
  const { device } = memory;
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const reader = device.createBuffer({ size: size!, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, reader, 0, size!);
  device.queue.submit([encoder.finish()]);
  await reader.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(reader.getMappedRange().slice(0));
  reader.destroy();
  return words;
}

const floats = async (binding: GPUBufferBinding): Promise<Float32Array> =>
  new Float32Array((await read(binding)).buffer);

const buffersOf = (bindings: Map<string, GPUBufferBinding>): Set<GPUBuffer> =>
  new Set([...bindings.values()].map(({ buffer }) => buffer));

/** Runs an upload that must fail, and checks that it left no memory behind. */
async function failure(upload: Promise<unknown>): Promise<unknown> {
  const error = await upload.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(memory.use.weights).toBe(0);
  return error;
}

describe('values', () => {
  test.each(['single', 'half', 'brain'])('%s to f32 is exact', async (name) => {
    const loaded = await uploadWeights(memory, await open(stored), [weight(name, 'f32', 3, 5)]);
    const binding = loaded.get(name)!;
    expect(binding.size).toBe(60);
    expect(await floats(binding)).toEqual(meant[name]);
    memory.free(buffersOf(loaded));
  });

  test.each(['single', 'half', 'brain'])('%s to f16 is rounded and packed', async (name) => {
    const loaded = await uploadWeights(memory, await open(stored), [weight(name, 'f16', 3, 5)]);
    const binding = loaded.get(name)!;
    expect(binding.size).toBe(32);
    const words = await read(binding);
    expect(words).toEqual(packF16(meant[name]!));
    expect(unpackF16(words, 15)).toEqual(roundF16(meant[name]!));
    memory.free(buffersOf(loaded));
  });

  test('what kernels make of them, and only that', async () => {
    const filters = { dtype: 'F32', shape: [3, 8, 3, 3] } as const;
    const [first, second] = [normal(216, 4), normal(216, 5)];
    const file = await open({
      ...stored,
      filters: { ...filters, bytes: bytesOf(first) },
      others: { ...filters, bytes: bytesOf(second) },
    });
    const params = { inChannels: 8, outChannels: 3, kernelSize: 3 } as const;
    const g = new Graph();
    for (const name of ['filters', 'others']) g.madeWeight(name, halvesOfFilter(params));
    g.weight('single', 'f32', [3, 5]);
    expect(wantedTensors(file, g.residents)).toContainEqual({
      name: 'others',
      shape: filters.shape,
    });
    const loaded = await uploadWeights(memory, file, g.residents, { chunkBytes: 100 });
    for (const [name, weight] of [['filters', first] as const, ['others', second] as const]) {
      const halves = unpackF16(await read(loaded.get(name)!), 216);
      const { nmse } = difference(halves, oracle(params, { weight }));
      expect(nmse, name).toBeLessThan(2 ** -20);
    }
    expect(await floats(loaded.get('single')!)).toEqual(values);
    // One of 60 bytes and two of 432, at offsets of 256.
    expect(memory.use).toEqual({ weights: 1200, state: 0, temp: 0, staging: 0 });
    memory.free(buffersOf(loaded));
  });

  test('every tensor of a trained model', async () => {
    const bytes = await readFile(new URL('../golden/vq_l2/model.safetensors', import.meta.url));
    const file = await openSafetensors(memorySource('vq', bytes));
    const names = [...file.tensors.keys()].filter(
      (name) => file.tensors.get(name)!.dtype === 'F32',
    );
    const tensors = names.map((name) => weight(name, 'f32', ...file.tensors.get(name)!.shape));
    const loaded = await uploadWeights(memory, file, tensors);
    expect([...loaded.keys()].sort()).toEqual(names.sort());
    for (const [name, binding] of loaded) {
      const { offset, byteLength: size } = file.tensors.get(name)!;
      const same = Buffer.compare(
        bytes.subarray(offset, offset + size),
        bytesOf(await read(binding)),
      );
      expect(same, name).toBe(0);
    }
    expect(buffersOf(loaded).size).toBe(1);
    memory.free(buffersOf(loaded));
  });
});

describe('buffers', () => {
  const many = Object.fromEntries(
    Array.from({ length: 6 }, (_, i) => {
      const bytes = bytesOf(normal(70, i));
      return [`w${i}`, { dtype: 'F32', shape: [70], bytes }];
    }),
  );
  const wanted = Object.keys(many).map((name) => weight(name, 'f32', 70));

  test('small tensors share one at aligned offsets, bound exactly to their size', async () => {
    const loaded = await uploadWeights(memory, await open(many), wanted);
    expect([...loaded.values()].map(({ offset }) => offset)).toEqual([
      0, 512, 1024, 1536, 2048, 2560,
    ]);
    expect([...loaded.values()].map(({ size }) => size)).toEqual(Array(6).fill(280));
    expect(memory.use.weights).toBe(2560 + 280);
    memory.free(buffersOf(loaded));
  });

  test('a shared one ends where the device cannot bind more', async () => {
    const narrow = new Memory(withLimit(memory.device, 1024));
    const loaded = await uploadWeights(narrow, await open(many), wanted);
    expect([...loaded.values()].map(({ offset }) => offset)).toEqual([0, 512, 0, 512, 0, 512]);
    expect(buffersOf(loaded).size).toBe(3);
    for (const [name, binding] of loaded) {
      expect(bytesOf(await floats(binding)), name).toEqual(many[name]!.bytes);
    }
    narrow.freeAll();
  });

  test('a name asked for twice is loaded once', async () => {
    const source = countingSource('file', writeSafetensors(many));
    const file = await openSafetensors(source);
    const twice = await uploadWeights(memory, file, [...wanted, ...wanted]);
    expect(twice.size).toBe(6);
    expect(source.reads.length).toBe(2 + 6);
    memory.free(buffersOf(twice));
  });

  test('nothing wanted, nothing made', async () => {
    expect((await uploadWeights(memory, await open(many), [])).size).toBe(0);
    expect(memory.use.weights).toBe(0);
  });
});

test('reads go once through the file, one tensor each, and progress follows', async () => {
  const source = countingSource('file', writeSafetensors(stored));
  const file = await openSafetensors(source);
  const progress: [number, number][] = [];
  const tensors = [weight('brain', 'f16', 3, 5), weight('single', 'f16', 3, 5)];
  const onProgress = (done: number, total: number): unknown => progress.push([done, total]);
  const loaded = await uploadWeights(memory, file, tensors, { onProgress });
  const at = (name: string): number[] => {
    const { offset, byteLength: size } = file.tensors.get(name)!;
    return [offset, size];
  };
  expect(source.reads.slice(2)).toEqual([at('single'), at('brain')]);
  expect(progress).toEqual([
    [60, 90],
    [90, 90],
  ]);
  memory.free(buffersOf(loaded));
});

describe('what cannot be uploaded frees everything', () => {
  const nan = Float32Array.from(values);
  nan[7] = Number.NaN;
  const large = Float32Array.from(values, (v) => v + 1e6);
  const tail: Record<string, StoredTensor> = {
    nan: { dtype: 'F32', shape: [15], bytes: bytesOf(nan) },
    large: { dtype: 'F32', shape: [15], bytes: bytesOf(large) },
    counts: { dtype: 'I32', shape: [2], bytes: new Uint8Array(8) },
  };

  test.each<[Tensor, string]>([
    [weight('nan', 'f32', 15), 'file: tensor "nan" expected finite values, got NaN at 7'],
    [weight('nan', 'f16', 15), 'file: tensor "nan" expected finite values, got NaN at 7'],
    [weight('large', 'f16', 15), 'file: tensor "large" has 15 of 15 values beyond 65504'],
    [weight('counts', 'f32', 2), 'file: tensor "counts" expected F32, F16 or BF16 values, got I32'],
    [weight('none', 'f32', 2), 'file: tensor "none" is missing'],
    [weight('half', 'f16', 5, 3), 'file: tensor "half" expected shape [5,3], got [3,5]'],
  ])('$name $dtype', async (bad, message) => {
    const file = await open({ ...stored, ...tail });
    const error = await failure(uploadWeights(memory, file, [weight('single', 'f32', 3, 5), bad]));
    expect(error).toBeInstanceOf(WeightsError);
    expect((error as Error).message).toContain(message);
  });

  test('handles that are no weights, or contradict each other', async () => {
    const file = await open(stored);
    const state: Tensor = { ...weight('half', 'f16', 3, 5), life: 'state' };
    expect(await failure(uploadWeights(memory, file, [state]))).toBeInstanceOf(RangeError);
    const both = [weight('half', 'f16', 3, 5), weight('half', 'f32', 3, 5)];
    expect(String(await failure(uploadWeights(memory, file, both)))).toContain(
      'is asked for as f16[3,5] and as f32[3,5]',
    );
  });

  test('a file that is cut while it is read', async () => {
    const whole = memorySource('file', writeSafetensors(stored));
    const cut: ByteSource = { ...whole, read: async (o, n) => (await whole.read(o, n)).slice(1) };
    const file = withSources(await openSafetensors(whole), () => cut);
    const error = await failure(uploadWeights(memory, file, [weight('half', 'f16', 3, 5)]));
    expect(String(error)).toContain('expected 30 bytes at ');
  });

  test('a tensor larger than the device can bind, before anything is read', async () => {
    const elements = 2 ** 31;
    const header = JSON.stringify({
      big: { dtype: 'F16', shape: [elements], data_offsets: [0, 2 * elements] },
    });
    const small = rawFile(header, 0);
    const source: ByteSource = {
      ...memorySource('file', small),
      byteLength: small.length + 2 * elements,
    };
    const file = await openSafetensors(source);
    const tensor = weight('big', 'f16', elements);
    expect(byteLength(tensor)).toBeGreaterThan(memory.device.limits.maxStorageBufferBindingSize);
    const error = await failure(uploadWeights(memory, file, [tensor]));
    expect(error).toBeInstanceOf(DeviceError);
    expect((error as DeviceError).problem).toBe('limit');
  });
});

describe('abort', () => {
  const tensors = [weight('single', 'f32', 3, 5), weight('half', 'f32', 3, 5)];

  test('before it starts', async () => {
    const signal = AbortSignal.abort(new Error('no'));
    const upload = uploadWeights(memory, await open(stored), tensors, { signal });
    expect(String(await failure(upload))).toBe('Error: no');
  });

  test('between tensors', async () => {
    const stop = new AbortController();
    const reason = { stopped: true };
    const done: number[] = [];
    const upload = uploadWeights(memory, await open(stored), tensors, {
      signal: stop.signal,
      onProgress: (bytes) => {
        done.push(bytes);
        stop.abort(reason);
      },
    });
    expect(await failure(upload)).toBe(reason);
    expect(done).toEqual([60]);
  });

  test('while a read never ends', async () => {
    const stop = new AbortController();
    const file = await open(stored);
    const stuck = (source: ByteSource) => ({ ...source, read: () => new Promise<never>(() => {}) });
    const { signal } = stop;
    const upload = uploadWeights(memory, withSources(file, stuck), tensors, { signal });
    setTimeout(() => stop.abort('enough'), 20);
    expect(await failure(upload)).toBe('enough');
  });
});

/** The same device, as if it could bind no more than this many bytes. */
const withLimit = (device: GPUDevice, maxStorageBufferBindingSize: number): GPUDevice =>
  new Proxy(device, {
    get(target, key) {
      if (key === 'limits') return { maxBufferSize: 2 ** 20, maxStorageBufferBindingSize };
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
