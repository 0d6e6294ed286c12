/** The workgroup that samples one sequence, and the sums and maxima over it. */
import type { Reduce, Variant } from '../kernel.ts';
import { type Reducer, reducer } from '../lib/reduce.ts';

export interface SamplerGroup {
  /** Invocations in the workgroup. */
  readonly size: number;
  readonly reduce: Exclude<Reduce, 'serial'>;
  /** Maximum of f32, maximum of u32, sum of f32. */
  readonly highest: Reducer;
  readonly last: Reducer;
  readonly sum: Reducer;
}

/** One invocation where a barrier costs more than the work it shares. */
export function samplerGroup({ reduce: asked }: Variant): SamplerGroup {
  const size = asked === 'serial' ? 1 : 256;
  const reduce = asked === 'serial' ? 'workgroup' : asked;
  const common = { size, reduce };
  return {
    size,
    reduce,
    highest: reducer({ ...common, name: 'highest', type: 'f32', op: 'max' }),
    last: reducer({ ...common, name: 'last', type: 'u32', op: 'max' }),
    sum: reducer({ ...common, name: 'sum', type: 'f32', op: 'sum' }),
  };
}
