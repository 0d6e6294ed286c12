/** Handles for blocks of device memory that do not exist yet. */
import type { DType } from '../../kernels/kernel.ts';

export { byteLength, elementCount } from '../../kernels/cost.ts';

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
  readonly origin?: WeightOrigin | undefined;
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
  readonly scales?: boolean | undefined;
}

/** `f32[2,64]`, for messages. */
export const describe = ({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): string =>
  `${dtype}[${shape}]`;
