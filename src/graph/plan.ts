/** Memory for temps: lifetimes to slots. Pure. */
import type { Node } from './graph.ts';
import { byteLength, type Tensor } from './tensor.ts';

export interface Plan {
  /** Byte length of each temp slot; one GPUBuffer per slot. */
  readonly slots: readonly number[];
  /** Slot of every temp. */
  readonly slotOf: ReadonlyMap<Tensor, number>;
}

/**
 * Gives every temp a slot so that no two temps alive at once share one. A linear scan over the
 * calls; a new temp takes the free slot whose size fits best, so that large slots stay few.
 * Slots are separate GPUBuffers because WebGPU forbids one buffer from being bound both read-only
 * and writable in one dispatch, even for disjoint ranges.
 * @param keep Temps that must still hold their value after the last call.
 */
export function plan(nodes: readonly Node[], keep: ReadonlySet<Tensor> = new Set()): Plan {
  const last = new Map<Tensor, number>();
  nodes.forEach((node, i) => {
    for (const t of Object.values(node.tensors)) last.set(t, keep.has(t) ? nodes.length : i);
  });
  const slots: number[] = [];
  const slotOf = new Map<Tensor, number>();
  const free = new Set<number>();
  nodes.forEach((node, i) => {
    const temps = new Set(Object.values(node.tensors).filter((t) => t.life === 'temp'));
    for (const t of temps) {
      if (slotOf.has(t)) continue;
      const slot = bestFit(slots, free, byteLength(t));
      free.delete(slot);
      slots[slot] = Math.max(slots[slot] ?? 0, byteLength(t));
      slotOf.set(t, slot);
    }
    for (const t of temps) {
      const slot = slotOf.get(t);
      if (last.get(t) === i && slot !== undefined) free.add(slot);
    }
  });
  return { slots, slotOf };
}

/** The smallest free slot that is large enough, else the largest free one (it grows), else a new one. */
function bestFit(slots: readonly number[], free: ReadonlySet<number>, size: number): number {
  let best = slots.length;
  for (const slot of free) {
    const [a, b] = [slots[slot] ?? 0, slots[best] ?? -1];
    const better = b >= size ? a >= size && a < b : a > b;
    if (better) best = slot;
  }
  return best;
}
