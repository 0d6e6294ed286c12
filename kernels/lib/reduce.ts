/** The only reductions over a workgroup: sum and maximum, through workgroup memory or subgroups. */

import { assert, type Reduce } from '../kernel.ts';
import { wgsl } from './wgsl.ts';

export interface ReducerParams {
  /** Name of the WGSL function. */
  readonly name: string;
  readonly type: 'f32' | 'u32' | 'vec4f';
  readonly op: 'sum' | 'max';
  /** Invocations in the workgroup, which must be one-dimensional; a power of two. */
  readonly size: number;
  readonly reduce: Exclude<Reduce, 'serial'>;
}

export interface Reducer {
  /** WGSL text to put before `main`. */
  readonly code: string;
  /** A WGSL expression: the reduced value, the same in every lane. Only in uniform control flow. */
  call(value: string): string;
}

/** Parameters that `main` needs besides `lane` (its local_invocation_index) for the reducers. */
export const laneBuiltins = (reduce: Reduce): string =>
  `@builtin(local_invocation_index) lane: u32${
    reduce === 'subgroup' ? ', @builtin(subgroup_size) lanes: u32' : ''
  }`;

/**
 * A reduction whose order depends only on the workgroup size (and the subgroup size of the
 * adapter), so equal inputs give equal bits. Subgroup sizes are read at run time: phones have 128.
 */
export function reducer({ name, type, op, size, reduce }: ReducerParams): Reducer {
  assert(size > 0 && (size & (size - 1)) === 0, `${name}: size ${size} is not a power of two`);
  const combine = (a: string, b: string): string =>
    op === 'sum' ? `${a} + ${b}` : `max(${a}, ${b})`;
  const subgroup = reduce === 'subgroup';
  const scratch = `${name}_scratch`;
  const code = wgsl`
var<workgroup> ${scratch}: array<${type}, ${size}>;
#if ${subgroup}
fn ${name}(value: ${type}, lane: u32, lanes: u32) -> ${type} {
  let part = ${op === 'sum' ? 'subgroupAdd' : 'subgroupMax'}(value);
  if (lane % lanes == 0u) { ${scratch}[lane / lanes] = part; }
  workgroupBarrier();
  var total = ${scratch}[0];
  let parts = (${size}u + lanes - 1u) / lanes;
  for (var i = 1u; i < parts; i++) { total = ${combine('total', `${scratch}[i]`)}; }
  workgroupBarrier();
  return total;
}
#else
fn ${name}(value: ${type}, lane: u32) -> ${type} {
  ${scratch}[lane] = value;
  for (var stride = ${size >> 1}u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) { ${scratch}[lane] = ${combine(`${scratch}[lane]`, `${scratch}[lane + stride]`)}; }
  }
  workgroupBarrier();
  let total = ${scratch}[0];
  workgroupBarrier();
  return total;
}
#endif`;
  return { code, call: (value) => `${name}(${value}, lane${subgroup ? ', lanes' : ''})` };
}
