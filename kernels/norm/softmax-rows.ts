import {
  type Binding,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins, reducer } from '../lib/reduce.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl-if.ts';

export interface SoftmaxRowsParams {
  readonly rows: number;
  /** Values in a row. */
  readonly length: number;
  readonly variant?: Variant | undefined;
}

export type SoftmaxRowsBindings = {
  readonly x: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** Software adapters run one workgroup per thread: small ones keep all of them busy. */
const SERIAL_SIZE = 16;
const SHARED_SIZE = 64;

/**
 * Softmax of every row: out[r, j] = exp(x[r, j] - max_j x[r, j]) / sum_j exp(x[r, j] - max_j x[r, j]).
 *
 * Shapes: x and out [rows, length]. Sums in f32.
 * One workgroup per row; serially, one invocation.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, AttnBlock.
 */
export function softmaxRows(params: SoftmaxRowsParams): Kernel<SoftmaxRowsBindings> {
  const identity = assertParams('softmax_rows', params, {
    rows: rule.size,
    length: rule.size,
    variant: rule.optional(rule.variant),
  });
  const { rows, length, variant = PORTABLE } = params;
  const bindings: SoftmaxRowsBindings = {
    x: { role: 'in', dtype: 'f32', shape: [rows, length] },
    out: { role: 'out', dtype: 'f32', shape: [rows, length] },
  };
  assertIndexable('softmax_rows', bindings);
  const { reduce } = variant;
  const serial = reduce === 'serial';
  const size = serial ? SERIAL_SIZE : SHARED_SIZE;
  const step = serial ? 1 : size;
  const [gx, gy] = grid(ceilDiv(rows, serial ? size : 1));
  const features: GPUFeatureName[] = reduce === 'subgroup' ? ['subgroups'] : [];
  const common = { type: 'f32', size } as const;
  const largest = serial ? undefined : reducer({ ...common, name: 'largest', op: 'max', reduce });
  const total = serial ? undefined : reducer({ ...common, name: 'total', op: 'sum', reduce });
  const each = (body: string): string =>
    `for (var j = first; j < LENGTH; j += ${step}u) { ${body} }`;
  const code = wgsl`${enable(features)}
${declare(bindings)}
const LENGTH = ${length}u;
const LOWEST = -3.4028234e38f;
${largest?.code ?? ''}
${total?.code ?? ''}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
#if ${serial}
  let row = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let first = 0u;
#else
  let row = group.y * ${gx}u + group.x;
  let first = lane;
#endif
  if (row >= ${rows}u) { return; }
  let start = row * LENGTH;
  var high = LOWEST;
  ${each('high = max(high, x[start + j]);')}
  ${largest ? `high = ${largest.call('high')};` : ''}
  var sum = 0.0;
  ${each('sum += exp(x[start + j] - high);')}
  ${total ? `sum = ${total.call('sum')};` : ''}
  ${each('out[start + j] = exp(x[start + j] - high) / sum;')}
}`;
  return {
    ...identity,
    label: `softmax_rows f32[${rows},${length}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features,
    // Maximum, difference, exponential, sum, quotient.
    cost: { operations: 5 * rows * length },
  };
}
