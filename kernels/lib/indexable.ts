/** Bounds of tensors that WGSL addresses with 32-bit indices. */
import { assert, type Bindings } from '../kernel.ts';

/** Elements of one tensor stay below this, so that sums of indices cannot wrap. */
const MAX_ELEMENTS = 2 ** 31;

/** Throws a RangeError that names the first tensor with too many elements to be indexed. */
export function assertIndexable(kernel: string, bindings: Bindings): void {
  for (const [name, { shape }] of Object.entries(bindings)) {
    const elements = shape.reduce((n, d) => n * d, 1);
    assert(
      elements < MAX_ELEMENTS,
      `${kernel}: "${name}" [${shape}] expected fewer than ${MAX_ELEMENTS} elements, got ${elements}`,
    );
  }
}
