/** Pieces of stored weights to the words that kernels read. */
import type { MatrixDType } from '../../kernels/kernel.ts';
import { isQuantised, quantGroups, quantWords } from '../../kernels/lib/quants.ts';
import type { Tensor } from '../graph/tensor.ts';
import {
  assertFinite,
  assertNoOverflow,
  decodeF32,
  isWeightDType,
  type Losses,
  packBf16,
  packF16,
  type WeightDType,
} from '../weights/convert.ts';
import type { quantizeRows } from '../weights/quantize-rows.ts';
import type { Job, Place } from './upload-plan.ts';

/**
 * Most bytes of a file in host memory at once. Read into the same memory again and again they come
 * from the page cache at 12 to 17 GB/s; into fresh memory, at 1.5 to 2.5 (Node 20, 2 cores).
 */
export const CHUNK_BYTES: number = 16 * 2 ** 20;

/** Bytes for a place on the device. */
export interface Write {
  readonly place: Place;
  /** Bytes from the start of the tensor; a multiple of 4, as is the length of `data`. */
  readonly offset: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Bytes of a file that are converted together: begin and length from the start of the job. */
export interface Chunk {
  readonly offset: number;
  readonly byteLength: number;
}

const SIZES = { F32: 4, F16: 2, BF16: 2 } as const;

/** Cuts a job into pieces of whole elements, or whole rows where rows are quantised. */
export function chunksOf(job: Job, most: number = CHUNK_BYTES): Chunk[] {
  const { byteLength } = job;
  const step = Math.max(1, Math.floor(most / stepOf(job))) * stepOf(job);
  return Array.from({ length: Math.ceil(byteLength / step) }, (_, i) => ({
    offset: i * step,
    byteLength: Math.min(step, byteLength - i * step),
  }));
}

/** Bytes that must not be cut: what they become fills whole words. */
function stepOf({ entry: { dtype }, values: { tensor } }: Job): number {
  if (!isWeightDType(dtype)) return 4;
  if (!quantising(tensor.dtype)) return 2 * SIZES[dtype];
  // Scales of two rows are whole words, however many groups a row has.
  return 2 * (tensor.shape[1] ?? 1) * SIZES[dtype];
}

const quantising = (dtype: Tensor['dtype']): dtype is 'int8' | 'int4' =>
  isQuantised(dtype as MatrixDType);

/** Converts the pieces of one job in turn. */
export class Converter {
  readonly #job: Job;
  readonly #file: string;
  readonly #quantizeRows: typeof quantizeRows | undefined;
  readonly #losses: Losses = { overflowed: 0, flushed: 0 };

  /**
   * @param file For messages.
   * @param rows What makes integers of floats, for jobs that ask for it.
   */
  constructor(file: string, job: Job, rows?: typeof quantizeRows) {
    this.#file = file;
    this.#job = job;
    this.#quantizeRows = rows;
  }

  /**
   * What to write for a piece. Views of `bytes` where nothing is converted.
   * @throws WeightsError that names the first value that is not finite.
   */
  convert(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>): Write[] {
    const { entry, values, firstElement } = this.#job;
    const { dtype } = entry;
    if (!isWeightDType(dtype)) return [{ place: values, offset: chunk.offset, data: bytes }];
    const origin = { file: this.#file, tensor: entry.name };
    const first = chunk.offset / SIZES[dtype];
    assertFinite(origin, dtype, bytes, firstElement + first);
    const { tensor } = values;
    if (quantising(tensor.dtype)) return this.#quantise(tensor.dtype, dtype, first, bytes);
    const size = tensor.dtype === 'f32' ? 4 : 2;
    return [{ place: values, offset: first * size, data: this.#packed(tensor, dtype, bytes) }];
  }

  /**
   * To be called after the last piece.
   * @returns How many values became zero.
   * @throws WeightsError when values were too large for their storage.
   */
  finish(): number {
    const { entry, values } = this.#job;
    const { dtype, shape } = values.tensor;
    const count = shape.reduce((n, d) => n * d, 1);
    if (dtype === 'f16' || dtype === 'bf16') {
      const origin = { file: this.#file, tensor: entry.name };
      assertNoOverflow(origin, dtype, this.#losses.overflowed, count);
    }
    return this.#losses.flushed;
  }

  #packed(tensor: Tensor, dtype: WeightDType, bytes: Uint8Array<ArrayBuffer>) {
    const same = { f32: 'F32', f16: 'F16', bf16: 'BF16' }[tensor.dtype as 'f32' | 'f16' | 'bf16'];
    if (dtype === same && bytes.byteLength % 4 === 0) return bytes;
    const origin = { file: this.#file, tensor: this.#job.entry.name };
    if (tensor.dtype === 'f32') return bytesOf(decodeF32(dtype, bytes));
    return bytesOf(
      tensor.dtype === 'f16'
        ? packF16(origin, dtype, bytes, this.#losses)
        : packBf16(dtype, bytes, this.#losses),
    );
  }

  #quantise(
    as: 'int8' | 'int4',
    dtype: WeightDType,
    first: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Write[] {
    const { entry, values, scales } = this.#job;
    const quantise = this.#quantizeRows;
    if (!scales || !quantise) {
      throw new RangeError(`"${entry.name}" is quantised, but nothing makes or takes its scales`);
    }
    const inDim = values.tensor.shape[1] ?? 1;
    const floats = decodeF32(dtype, bytes);
    const row = first / inDim;
    const rows = floats.length / inDim;
    const origin = { file: this.#file, tensor: entry.name };
    const quantised = quantise(as, floats, rows, inDim, origin);
    const words = new Uint16Array(Math.ceil(quantised.scales.length / 2) * 2);
    words.set(quantised.scales);
    return [
      { place: values, offset: row * quantWords(as, inDim) * 4, data: bytesOf(quantised.quants) },
      { place: scales, offset: row * quantGroups(as, inDim) * 2, data: bytesOf(words) },
    ];
  }
}

const bytesOf = (array: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
