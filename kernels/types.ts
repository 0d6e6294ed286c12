/** What a kernel is: text, binding table and grid. Plain data; no device is named here. */
import type { MATRIX_FEATURE } from './kernel.ts';
import type { MatrixTexts } from './product/matrix-texts.ts';

/**
 * Storage of a table that kernels read by rows. `f16` and `bf16` are always packed two to a 32-bit
 * word (little-endian, first element in the low half), so they need no device feature.
 */
export type TableDType = 'f32' | 'f16' | 'bf16';

/** Integer storage of a matrix, with one scale for each group of values; see lib/quants.ts. */
export type QuantDType = 'int8' | 'int4';

/** Storage of a weight that products read. */
export type MatrixDType = TableDType | QuantDType;

/** Element types of a tensor in memory. */
export type DType = MatrixDType | 'u32' | 'i32';

/**
 * What a kernel does with one buffer.
 * - in: only reads it.
 * - out: writes every element; earlier contents do not matter, so the planner may reuse the memory.
 * - inout: needs the earlier contents (KV cache, token grid, positions).
 */
export type Role = 'in' | 'out' | 'inout';

export interface Binding<R extends Role = Role> {
  readonly role: R;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** WGSL element type of the array when it is not the scalar: `vec4f`, `vec2u`, `vec4<f16>`, ... */
  readonly element?: string | undefined;
}

export type Bindings = Readonly<Record<string, Binding>>;

/** A device feature that a kernel may need. */
export type Feature = GPUFeatureName | typeof MATRIX_FEATURE;

/** Which kernel it is, and of which parameters. */
export interface Identity {
  /** Name of the kernel, as errors and records have it, e.g. `rms_norm`. */
  readonly name: string;
  /** The parameters that it was made of, as they were given. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** One compute dispatch, whichever kernel it is of. */
export interface Dispatch<B extends Bindings = Bindings> {
  /** Name and key sizes, e.g. `rms_norm f32[2,1024]`; used in errors and profiles. */
  readonly label: string;
  readonly code: string;
  /** Position in this table is the @binding index; the group is always 0. */
  readonly bindings: B;
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** What the text reads from `sizes` in place of holding it, so that many sizes share one pipeline. */
  readonly sizes?: Sizes | undefined;
  /** Device features the text needs. */
  readonly features?: readonly Feature[] | undefined;
  /** What one dispatch costs at least; see `costOf`. */
  readonly cost?: Partial<Cost> | undefined;
}

/** A complete, device-independent description of one compute dispatch. */
export interface Kernel<B extends Bindings = Bindings> extends Identity, Dispatch<B> {}

/** Members of the uniform struct `sizes`, in order, each a u32; its binding follows the table's. */
export type Sizes = Readonly<Record<string, number>>;

/** The work that no implementation of a kernel can avoid. */
export interface Cost {
  /** Bytes that must be read or written, each once. */
  readonly bytes: number;
  /** Arithmetic operations; a multiply-add counts as two. */
  readonly operations: number;
}

/** Names of the bindings of kernel table B that have role R. */
export type Names<B extends Bindings, R extends Role> = {
  [K in keyof B & string]: B[K]['role'] extends R ? K : never;
}[keyof B & string];

/**
 * How a kernel combines values.
 * - serial: one invocation does the whole sum; no barrier. Software adapters run barriers about
 *   eight times slower than this (measured on SwiftShader, 2 cores). `convFew`, `conv2dParts` and
 *   `conv2d` have barriers all the same; the last has none for 1x1 filters without a norm.
 * - workgroup: a workgroup shares the sum and combines it through workgroup memory.
 * - subgroup: like workgroup, combined with subgroup operations; needs the feature `subgroups`.
 */
export type Reduce = 'serial' | 'workgroup' | 'subgroup';

/** A product of matrices that the subgroups of a device make: m x k by k x n, with sums in f32. */
export interface MatrixSizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Type of what is multiplied; f16 needs the feature `shader-f16` as well. */
  readonly operand: 'f16' | 'f32';
  /** Most invocations of a subgroup (`subgroupMaxSize`): workgroups must be multiples of it. */
  readonly lanes: number;
}

/** Matrices that kernels may use: `matrixConfig` makes one of sizes. */
export interface MatrixConfig extends MatrixSizes {
  readonly texts: MatrixTexts;
}

/** Choices that never change what a kernel computes, only how. */
export interface Variant {
  readonly reduce: Reduce;
  /** Products may compute with native halves; needs the feature `shader-f16`. */
  readonly f16: boolean;
  /**
   * Neighbouring invocations that are certainly in one subgroup (`subgroupMinSize`), where the feature
   * `subgroups` may be used. Kernels under `serial` take it as leave to use subgroup operations that
   * need no barrier.
   */
  readonly lanes?: number | undefined;
  /** Most invocations of a workgroup, where a kernel may choose; 64 or more. Default 256, as every device has. */
  readonly invocations?: number | undefined;
  /** Most bytes of workgroup memory, for tiles that are measured. Default 16384, as every device has. */
  readonly workgroupBytes?: number | undefined;
  /** Where the feature `chromium-experimental-subgroup-matrix` may be used: by which matrices. */
  readonly matrix?: MatrixConfig | undefined;
  /**
   * Products may round what they multiply to halves where that is faster (precision `fast`). Else what
   * they multiply keeps the accuracy of f32. Sums are f32 always.
   */
  readonly halves?: boolean | undefined;
}
