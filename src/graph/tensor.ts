/** Handles for blocks of device memory that do not exist yet. */
import type { DType } from '../../kernels/kernel.ts';

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
}

/** Number of elements. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Size in device memory, a multiple of 4: f16 is packed two to a word. */
export const byteLength = ({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): number =>
  dtype === 'f16' ? Math.ceil(elementCount(shape) / 2) * 4 : elementCount(shape) * 4;

/** `f32[2,64]`, for messages. */
export const describe = ({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): string =>
  `${dtype}[${shape}]`;
