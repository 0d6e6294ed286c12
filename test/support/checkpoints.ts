/** Checkpoints of any size: tensors under official names, with zeros that take no space on disk. */
import type { WantedTensor } from '../../src/weights/join.ts';
import type { PtInput } from './zip.ts';

/** Class of a storage in `torch`, and bytes of an element. */
const STORAGES = { f32: ['FloatStorage', 4], bf16: ['BFloat16Storage', 2] } as const;

/** A state dict of zeros. */
export function zeros(
  tensors: readonly WantedTensor[],
  dtype: keyof typeof STORAGES = 'f32',
): Record<string, PtInput> {
  const [storage, size] = STORAGES[dtype];
  return Object.fromEntries(
    tensors.map(({ name, shape }, i) => {
      const elements = shape.reduce((n, d) => n * d, 1);
      return [name, { storage, key: `${i}`, elements, shape, data: elements * size }];
    }),
  );
}

/** A state dict of small whole numbers, exact in every type: tensor i counts from i, modulo 128. */
export function counting(tensors: readonly WantedTensor[]): Record<string, PtInput> {
  return Object.fromEntries(
    tensors.map(({ name, shape }, i) => {
      const elements = shape.reduce((n, d) => n * d, 1);
      const values = Float32Array.from({ length: elements }, (_, e) => (i + e) % 128);
      const data = new Uint8Array(values.buffer);
      return [name, { key: `${i}`, elements, shape, data }];
    }),
  );
}
