/** Handles for blocks of device memory that do not exist yet. */
import type { DType } from '../../kernels/kernel.ts';
import { isQuantised, quantWords } from '../../kernels/lib/weight-rows.ts';

/**
 * Where a tensor's memory comes from and how long it lives.
 * - weight: loaded once by its state-dict name, read-only.
 * - state: lives as long as the program; holds what changes from run to run (KV cache, tokens).
 * - temp: lives from the kernel that makes it to the last that reads it.
 */
export type Life = 'weight' | 'state' | 'temp';

export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly life: Life;
  /** What a weight is loaded from, when that is not simply the tensor of its name. */
  readonly origin?: WeightOrigin;
}

/** Rows of a stored tensor, or the scales of its rows. */
export interface WeightOrigin {
  /** State-dict name of the matrix or table. */
  readonly name: string;
  /** The first of its rows that this weight has. */
  readonly firstRow: number;
  /** How many rows it has in all. */
  readonly rows: number;
  /** Whether this weight is the scales of those rows, not their quants. Default false. */
  readonly scales?: boolean;
}

/** Number of elements. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Size in device memory, a multiple of 4: halves are packed two to a word, integer rows fill words. */
export function byteLength({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): number {
  if (dtype === 'u32' || dtype === 'i32' || dtype === 'f32') return elementCount(shape) * 4;
  if (!isQuantised(dtype)) return Math.ceil(elementCount(shape) / 2) * 4;
  return elementCount(shape.slice(0, -1)) * quantWords(dtype, shape.at(-1) ?? 1) * 4;
}

/** `f32[2,64]`, for messages. */
export const describe = ({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): string =>
  `${dtype}[${shape}]`;
