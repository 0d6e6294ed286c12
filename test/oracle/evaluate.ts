/** A graph in float64: every call by the oracle of its kernel, from values that tensors are given. */
import type { Graph } from '../../src/graph/graph.ts';
import type { Tensor } from '../../src/graph/tensor.ts';
import { RECORDS } from '../records/index.ts';

type Values = ArrayLike<number>;

/** What becomes of a value that a kernel reads by a binding. */
export type Reading = (kernel: string, binding: string, values: Values) => Values;

/**
 * The values of all tensors of a graph.
 * @param given Values of weights and states by name.
 * @param read Changes what kernels read. Default: nothing.
 */
export function evaluate(
  g: Graph,
  given: (name: string) => Values,
  read: Reading = (_, __, values) => values,
): ReadonlyMap<Tensor, Values> {
  const known = new Map<Tensor, Values>(g.residents.map((t) => [t, given(t.name)]));
  for (const { kernel, tensors } of g.nodes) {
    const record = RECORDS.find(({ name }) => name === kernel.name);
    if (!record) throw new Error(`${kernel.label}: has no record`);
    const inputs: Record<string, Values> = {};
    for (const [name, { role }] of Object.entries(kernel.bindings)) {
      const values = known.get(tensors[name]!);
      if (role !== 'out' && values) inputs[name] = read(kernel.name, name, values);
    }
    const outputs = record.oracle(kernel.params, inputs, {});
    for (const [name, { role }] of Object.entries(kernel.bindings)) {
      if (role !== 'in') known.set(tensors[name]!, outputs[name]!);
    }
  }
  return known;
}
