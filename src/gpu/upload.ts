/** Weights from files into device buffers, a piece at a time. */
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { FileDType, Safetensors } from '../weights/safetensors.ts';
import { readReusing } from '../weights/source.ts';
import { abortable } from './abortable.ts';
import { CHUNK_BYTES, Converter, chunksOf } from './chunks.ts';
import { type Making, makersFor } from './make-weight.ts';
import type { Memory } from './memory.ts';
import { type Job, planUpload } from './upload-plan.ts';

/**
 * Sees every piece of a stored tensor before it goes to the device, in order.
 * @param bytes Elements as stored; only valid during the call.
 * @throws WeightsError to refuse the file.
 */
export type Inspector = (tensor: string, dtype: FileDType, bytes: Uint8Array<ArrayBuffer>) => void;

export interface UploadOptions {
  /** Stops the upload; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called after every piece with bytes of the file read so far and in all. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Called after a tensor of which values became zero when they were rounded to 16 bits. */
  readonly onFlushed?: ((tensor: string, values: number) => void) | undefined;
  readonly inspect?: Inspector | undefined;
  /** Bytes of the file in host memory at once. Default CHUNK_BYTES. */
  readonly chunkBytes?: number | undefined;
}

/** Largest buffer that tensors share: small enough that freeing and allocating stay cheap. */
const SHARED_BUFFER_BYTES = 64 * 2 ** 20;
/**
 * Bytes handed to the queue before waiting for what was handed to it before them, so that its staging
 * copies do not pile up while the next piece is read and checked.
 */
const FLUSH_BYTES = 16 * 2 ** 20;

/**
 * Reads, converts and uploads every weight of a graph. Host memory holds one piece of a tensor at a
 * time; small tensors share buffers. Values are checked to be finite. Integer weights are loaded as
 * they are, or made of floats.
 *
 * Conversion runs on the CPU: hardware adapters are given weights as they are stored (see
 * `chooseWeightDtype`), and on software adapters the "GPU" is the same CPU.
 * @param tensors Handles of life `weight`; a name given twice is loaded once.
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
  const { signal } = options;
  signal?.throwIfAborted();
  const { maxBufferSize, maxStorageBufferBindingSize } = memory.device.limits;
  const cut = Math.min(maxBufferSize, maxStorageBufferBindingSize, SHARED_BUFFER_BYTES);
  const plan = planUpload(file, tensors, cut);
  const buffers: GPUBuffer[] = [];
  try {
    // All memory first: a model that does not fit fails before gigabytes are read.
    await memory.checked(`allocating the weights of ${file.name}`, () => {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      for (const { label, size, isPassing } of plan.buffers) {
        buffers.push(memory.create(isPassing ? 'temp' : 'weights', label, size, usage));
      }
    });
    const make = await abortable(makersFor(memory.device, plan.jobs, buffers), signal);
    await transfer(memory, file.name, plan.jobs, buffers, make, options);
    memory.free(buffers.filter((_, i) => plan.buffers[i]?.isPassing));
    const bindings = new Map<string, GPUBufferBinding>();
    for (const { values, scales, made } of plan.jobs) {
      for (const place of scales ? [values, scales] : [made ?? values]) {
        const buffer = buffers[place.buffer] as GPUBuffer;
        const size = byteLength(place.tensor);
        bindings.set(place.tensor.name, { buffer, offset: place.offset, size });
      }
    }
    return bindings;
  } catch (error) {
    memory.free(buffers);
    throw error;
  }
}

async function transfer(
  memory: Memory,
  file: string,
  jobs: readonly Job[],
  buffers: readonly GPUBuffer[],
  make: Making,
  { signal, onProgress, onFlushed, inspect, chunkBytes = CHUNK_BYTES }: UploadOptions,
): Promise<void> {
  const { queue } = memory.device;
  const totalBytes = jobs.reduce((sum, job) => sum + job.byteLength, 0);
  const longest = jobs.reduce((most, job) => Math.max(most, job.byteLength), 0);
  const scratch = new Uint8Array(Math.min(chunkBytes, longest));
  let doneBytes = 0;
  let queuedBytes = 0;
  let before: Promise<unknown> = Promise.resolve();
  let writes: Promise<void>[] = [];
  const makesIntegers = jobs.some(({ scales }) => scales);
  const { quantizeRows } = makesIntegers
    ? await import('../weights/quantize-rows.ts')
    : { quantizeRows: undefined };
  for (const job of jobs) {
    const converter = new Converter(file, job, quantizeRows);
    for (const chunk of chunksOf(job, chunkBytes)) {
      const { source } = job.entry;
      const read = readReusing(source, job.offset + chunk.offset, chunk.byteLength, scratch);
      const bytes = await abortable(read, signal);
      const pieces = converter.convert(chunk, bytes);
      inspect?.(job.entry.name, job.entry.dtype, bytes);
      const written = memory.checked(`loading ${file}`, () => {
        for (const { place, offset, data } of pieces) {
          queue.writeBuffer(buffers[place.buffer] as GPUBuffer, place.offset + offset, data);
          queuedBytes += data.byteLength;
        }
      });
      writes.push(handled(written));
      if (queuedBytes >= FLUSH_BYTES) {
        await abortable(before, signal);
        // Writes wait for the next submit: an empty one starts the copying now.
        queue.submit([]);
        before = Promise.all([queue.onSubmittedWorkDone(), ...writes]);
        before.catch(() => {}); // reported to whoever waits next, or to the watch of the device
        writes = [];
        queuedBytes = 0;
      }
      doneBytes += chunk.byteLength;
      onProgress?.(doneBytes, totalBytes);
    }
    if (job.made) writes.push(handled(memory.checked(`loading ${file}`, () => make(job))));
    const flushed = converter.finish();
    if (flushed > 0) onFlushed?.(job.entry.name, flushed);
  }
  await abortable(Promise.all([before, queue.onSubmittedWorkDone(), ...writes]), signal);
}

/** Reported to whoever waits for all of them. */
function handled(written: Promise<void>): Promise<void> {
  written.catch(() => {});
  return written;
}
