/** What a model is built with: choices that change memory and speed, never the mathematics. */
import type { Variant } from '../../kernels/kernel.ts';

export interface Precision {
  readonly variant: Variant;
  /** Storage of matrices and embeddings on the device; norms stay f32. */
  readonly weightDtype: 'f32' | 'f16';
  /** Storage of the KV cache. */
  readonly kvDtype: 'f32' | 'f16';
}
