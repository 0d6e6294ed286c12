/** Weights from a file into device buffers, one tensor at a time. */

import { WeightsError } from '../errors.ts';
import { byteLength, describe, type Tensor } from '../graph/tensor.ts';
import {
  assertFinite,
  decodeF32,
  isWeightDType,
  packF16,
  type WeightDType,
} from '../weights/convert.ts';
import type { Safetensors, TensorEntry } from '../weights/safetensors.ts';
import { readExactly } from '../weights/source.ts';
import type { Memory } from './memory.ts';

export interface UploadOptions {
  /** Stops the upload; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after every tensor with bytes of the file read so far and in all. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Binding offsets must be multiples of this on every adapter (WebGPU default limit). */
const OFFSET_ALIGNMENT = 256;
/** Largest buffer that tensors share: small enough that freeing and allocating stay cheap. */
const SHARED_BUFFER_BYTES = 64 * 2 ** 20;
/** Bytes handed to the queue before waiting for it, so that its staging copies do not pile up. */
const FLUSH_BYTES = 32 * 2 ** 20;

/** A wanted tensor, where its values are, and where they go. */
interface Job {
  readonly tensor: Tensor;
  readonly entry: TensorEntry;
  readonly dtype: WeightDType;
  /** Index of the buffer, and bytes from its start. */
  readonly buffer: number;
  readonly offset: number;
}

/**
 * Reads, converts and uploads every weight of a graph. Host memory holds one tensor at a time;
 * small tensors share buffers. Values are checked to be finite.
 * @param tensors Handles of life `weight` and dtype f32 or f16; a name given twice is loaded once.
 * @returns A binding per name, exactly as long as the tensor. On failure everything is freed.
 * @throws WeightsError when the file does not fit, DeviceError when the device has not the memory,
 * the signal's reason when aborted.
 */
export async function uploadWeights(
  memory: Memory,
  file: Safetensors,
  tensors: readonly Tensor[],
  options: UploadOptions = {},
): Promise<Map<string, GPUBufferBinding>> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const { maxBufferSize, maxStorageBufferBindingSize } = memory.device.limits;
  const cut = Math.min(maxBufferSize, maxStorageBufferBindingSize, SHARED_BUFFER_BYTES);
  const { jobs, sizes } = assign(find(file, tensors), cut);
  const totalBytes = jobs.reduce((sum, { entry }) => sum + entry.byteLength, 0);
  const buffers: GPUBuffer[] = [];
  try {
    // All memory first: a model that does not fit fails before gigabytes are read.
    await memory.checked(`allocating the weights of ${file.source.name}`, () => {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      for (const [i, { label, size }] of sizes.entries()) {
        buffers[i] = memory.create('weights', label, size, usage);
      }
    });
    const bindings = new Map<string, GPUBufferBinding>();
    let doneBytes = 0;
    let queuedBytes = 0;
    for (const job of jobs) {
      const { tensor, entry, offset } = job;
      const buffer = buffers[job.buffer] as GPUBuffer;
      const read = readExactly(file.source, entry.offset, entry.byteLength);
      const values = convert(file.source.name, job, await abortable(read, signal));
      memory.device.queue.writeBuffer(buffer, offset, values);
      bindings.set(tensor.name, { buffer, offset, size: byteLength(tensor) });
      queuedBytes += values.byteLength;
      if (queuedBytes >= FLUSH_BYTES) {
        await abortable(memory.device.queue.onSubmittedWorkDone(), signal);
        queuedBytes = 0;
      }
      doneBytes += entry.byteLength;
      onProgress?.(doneBytes, totalBytes);
    }
    await abortable(memory.device.queue.onSubmittedWorkDone(), signal);
    return bindings;
  } catch (error) {
    memory.free(buffers);
    throw error;
  }
}

type Found = Pick<Job, 'tensor' | 'entry' | 'dtype'>;

/** The stored tensor of each handle, in the order of the file. */
function find(file: Safetensors, tensors: readonly Tensor[]): Found[] {
  const found = new Map<string, Found>();
  for (const tensor of tensors) {
    const { name, dtype, shape, life } = tensor;
    const where = `${file.source.name}: tensor "${name}"`;
    if (life !== 'weight' || (dtype !== 'f32' && dtype !== 'f16')) {
      throw new RangeError(
        `${where} expected a weight of f32 or f16, got a ${life} ${describe(tensor)}`,
      );
    }
    const before = found.get(name)?.tensor;
    if (before && describe(before) !== describe(tensor)) {
      throw new RangeError(
        `${where} is asked for as ${describe(before)} and as ${describe(tensor)}`,
      );
    }
    const entry = file.tensors.get(name);
    if (!entry) throw new WeightsError(`${where} is missing`);
    if (!isWeightDType(entry.dtype)) {
      throw new WeightsError(`${where} expected F32, F16 or BF16 values, got ${entry.dtype}`);
    }
    if (String(entry.shape) !== String(shape)) {
      throw new WeightsError(`${where} expected shape [${shape}], got [${entry.shape}]`);
    }
    found.set(name, { tensor, entry, dtype: entry.dtype });
  }
  return [...found.values()].sort((a, b) => a.entry.offset - b.entry.offset);
}

/** Fills shared buffers up to `cut` bytes; a tensor larger than that has a buffer of its own. */
function assign(
  found: readonly Found[],
  cut: number,
): { jobs: Job[]; sizes: { label: string; size: number }[] } {
  const sizes: { label: string; size: number }[] = [];
  const jobs = found.map((one): Job => {
    const bytes = byteLength(one.tensor);
    const open = sizes.at(-1);
    const offset = open ? Math.ceil(open.size / OFFSET_ALIGNMENT) * OFFSET_ALIGNMENT : 0;
    if (open && offset + bytes <= cut) open.size = offset + bytes;
    else sizes.push({ label: `weights from ${one.tensor.name}`, size: bytes });
    return { ...one, buffer: sizes.length - 1, offset: open === sizes.at(-1) ? offset : 0 };
  });
  return { jobs, sizes };
}

function convert(
  file: string,
  { tensor, dtype }: Job,
  bytes: Uint8Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  const origin = { file, tensor: tensor.name };
  assertFinite(origin, dtype, bytes);
  return tensor.dtype === 'f16' ? packF16(origin, dtype, bytes) : decodeF32(dtype, bytes);
}

/** Rejects with the signal's reason as soon as it aborts, even while `work` goes on. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
