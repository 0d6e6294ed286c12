/** Handles for blocks of device memory that do not exist yet. */
import type { Binding, DType, Kernel } from '../../kernels/kernel.ts';

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
  /** What makes a weight of the stored tensor of its name, once, while it is loaded. */
  readonly madeBy?: Maker | undefined;
}

/** A kernel that makes what other kernels read of a weight as it is stored. */
export type Maker = Kernel<{ readonly weight: Binding<'in'>; readonly out: Binding<'out'> }>;

/** Storage and shape of what a weight is loaded from: of its own, unless a kernel makes it. */
export const storedAs = ({ madeBy, dtype, shape }: Tensor): Pick<Tensor, 'dtype' | 'shape'> =>
  madeBy?.bindings.weight ?? { dtype, shape };

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
