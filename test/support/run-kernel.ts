/** Runs one kernel on plain arrays, with the checks every kernel test wants. */
import { bind, compile } from '../../kernels/compile.ts';
import type { Binding, Bindings, Kernel } from '../../kernels/kernel.ts';
import { quantWords } from '../../kernels/lib/quants.ts';
import { fromHalves, packHalves } from './halves.ts';

export type Array1 = Float32Array | Uint32Array | Int32Array;

const SENTINEL = 0xdeadbeef;
const SENTINEL_WORDS = 64;
const NAN_BITS = 0x7fc00000;

const count = ({ shape }: Binding): number => shape.reduce((n, d) => n * d, 1);

/** 32-bit words of a tensor. */
function words(b: Binding): number {
  const { dtype, shape } = b;
  if (dtype === 'f16' || dtype === 'bf16') return Math.ceil(count(b) / 2);
  if (dtype === 'int8' || dtype === 'int4') return shape[0]! * quantWords(dtype, shape[1]!);
  return count(b);
}

function toWords(
  name: string,
  binding: Binding,
  data: ArrayLike<number>,
): Uint32Array<ArrayBuffer> {
  const quantised = binding.dtype === 'int8' || binding.dtype === 'int4';
  const expected = quantised ? words(binding) : count(binding);
  if (data.length !== expected) {
    throw new Error(`"${name}" expected ${expected} values, got ${data.length}`);
  }
  if (binding.dtype === 'bf16') return packBf16(data);
  if (binding.dtype === 'f16') return packHalves(data);
  if (binding.dtype === 'f32') return new Uint32Array(new Float32Array(data).buffer);
  if (binding.dtype === 'i32') return new Uint32Array(new Int32Array(data).buffer);
  return new Uint32Array(data);
}

function fromWords(binding: Binding, data: Uint32Array<ArrayBuffer>): Array1 {
  if (binding.dtype === 'f16') return fromHalves(new Uint16Array(data.buffer, 0, count(binding)));
  if (binding.dtype === 'f32') return new Float32Array(data.buffer, 0, count(binding));
  if (binding.dtype === 'i32') return new Int32Array(data.buffer, 0, count(binding));
  return data.subarray(0, count(binding));
}

/** Two to a word, first in the low half; the values are exact in bfloat16. */
function packBf16(data: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const bits = new Uint32Array(new Float32Array(data).buffer);
  const packed = new Uint32Array(Math.ceil(data.length / 2));
  bits.forEach((b, i) => {
    packed[i >> 1]! |= i % 2 === 0 ? b >>> 16 : b & 0xffff0000;
  });
  return packed;
}

/**
 * Dispatches `kernel` once (or `times` times) and returns every `out` and `inout` tensor.
 * `out` buffers start as NaN, so an element that is never written shows; each writable buffer is
 * bound exactly to its size with sentinel words behind it, so a stray write shows. int8 and int4
 * tensors are given as words.
 */
export async function runKernel<B extends Bindings>(
  device: GPUDevice,
  kernel: Kernel<B>,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
  times = 1,
): Promise<Record<string, Array1>> {
  device.pushErrorScope('validation');
  const pipeline = await compile(device, kernel);
  const buffers: Record<string, { buffer: GPUBuffer; binding: Binding }> = {};
  for (const [name, binding] of Object.entries<Binding>(kernel.bindings)) {
    const data = inputs[name];
    if ((data === undefined) !== (binding.role === 'out')) {
      throw new Error(`${kernel.label}: "${name}" (${binding.role}) ${data ? 'was' : 'not'} given`);
    }
    const size = words(binding);
    const all = new Uint32Array(size + SENTINEL_WORDS).fill(SENTINEL);
    all.fill(NAN_BITS, 0, size);
    if (data) all.set(toWords(name, binding, data));
    const buffer = device.createBuffer({
      label: name,
      size: all.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
    device.queue.writeBuffer(buffer, 0, all);
    buffers[name] = { buffer, binding };
  }
  const given = Object.fromEntries(
    Object.entries(buffers).map(([name, { buffer, binding }]) => [
      name,
      { buffer, size: words(binding) * 4 },
    ]),
  ) as Record<keyof B, GPUBufferBinding>;
  const group = bind(device, kernel, pipeline, given);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  for (let i = 0; i < times; i++) pass.dispatchWorkgroups(...kernel.workgroups);
  pass.end();
  const readers: [string, Binding, GPUBuffer][] = [];
  for (const [name, { buffer, binding }] of Object.entries(buffers)) {
    if (binding.role === 'in') continue;
    const reader = device.createBuffer({
      size: buffer.size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.copyBufferToBuffer(buffer, 0, reader, 0, buffer.size);
    readers.push([name, binding, reader]);
  }
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(`${kernel.label}: ${error.message}`);
  const result: Record<string, Array1> = {};
  for (const [name, binding, reader] of readers) {
    await reader.mapAsync(GPUMapMode.READ);
    const all = new Uint32Array(reader.getMappedRange().slice(0));
    const stray = all.subarray(words(binding)).findIndex((w) => w !== SENTINEL);
    if (stray >= 0) throw new Error(`${kernel.label}: wrote ${stray} words past "${name}"`);
    result[name] = fromWords(binding, all.slice(0, words(binding)));
    reader.destroy();
  }
  for (const { buffer } of Object.values(buffers)) buffer.destroy();
  return result;
}
