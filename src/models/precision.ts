/** What a model is built with: choices that change memory and speed, never the mathematics. */
import type { MatrixDType, TableDType } from '../../kernels/kernel.ts';
import { isQuantised } from '../../kernels/lib/quants.ts';
import type { OpSettings } from '../ops/operation.ts';

/** Storage that a caller may ask for. */
export const WEIGHT_DTYPES = ['auto', 'f32', 'f16', 'bf16', 'int8', 'int4'] as const;
export type WeightDTypeOption = (typeof WEIGHT_DTYPES)[number];

/**
 * How near to f32 a model computes from its weights as they are stored.
 * - exact: f32 cache, and products of what f32 holds: within the tolerances of the golden cases.
 * - fast: f16 cache, and products by matrix units with operands rounded to halves: logits within a
 *   normalised squared error of 1e-6 of those of exact. Sums are f32 in both.
 */
export const PRECISIONS = ['exact', 'fast'] as const;
export type PrecisionName = (typeof PRECISIONS)[number];

export interface Precision extends OpSettings {
  /** Storage of matrices on the device; norms stay f32. */
  readonly dtype: MatrixDType;
  /** Storage of the output head. Default that of the other matrices. */
  readonly headDtype?: MatrixDType | undefined;
  /** Storage of the embeddings. Default that of the matrices, f16 where those are integers. */
  readonly tableDtype?: TableDType | undefined;
  /** Storage of the KV cache. */
  readonly kvDtype: 'f32' | 'f16';
  /** Weights that are larger are cut into parts of whole rows. Default: none is. */
  readonly maxBindingBytes?: number | undefined;
}

/** Storage of the output head. */
export const headDtypeOf = ({ headDtype, dtype }: Precision): MatrixDType => headDtype ?? dtype;

/** Storage of the embeddings. */
export const tableDtypeOf = ({ tableDtype, dtype }: Precision): TableDType =>
  tableDtype ?? (isQuantised(dtype) ? 'f16' : dtype);

/** Which of the two a model is built with. */
export const precisionName = ({ variant }: Pick<Precision, 'variant'>): PrecisionName =>
  variant.halves ? 'fast' : 'exact';
