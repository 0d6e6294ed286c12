/** What tensors take and what kernels must move and compute: the floor under their time. */
import { type Binding, type Cost, isWord, type Kernel } from './kernel.ts';
import { isQuantised, quantWords } from './lib/quants.ts';

/** Number of elements. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Size in device memory, a multiple of 4: halves are packed two to a word, integer rows fill words. */
export function byteLength({ dtype, shape }: Pick<Binding, 'dtype' | 'shape'>): number {
  if (isWord(dtype)) return elementCount(shape) * 4;
  if (!isQuantised(dtype)) return Math.ceil(elementCount(shape) / 2) * 4;
  return elementCount(shape.slice(0, -1)) * quantWords(dtype, shape.at(-1) ?? 1) * 4;
}

/**
 * The least work of one dispatch. Where a kernel does not say better, every binding is moved once
 * (inout twice) and arithmetic is not counted.
 */
export function costOf({ bindings, cost }: Pick<Kernel, 'bindings' | 'cost'>): Cost {
  const bytes = Object.values(bindings).reduce(
    (sum, binding) => sum + byteLength(binding) * (binding.role === 'inout' ? 2 : 1),
    0,
  );
  return { bytes, operations: 0, ...cost };
}
