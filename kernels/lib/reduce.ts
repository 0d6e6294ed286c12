/** The only sums, maxima and running sums over a workgroup: through workgroup memory or subgroups. */

import { assert, type Reduce } from '../kernel.ts';
import { wgsl } from './wgsl.ts';

export interface ReducerParams {
  /** Name of the WGSL function. */
  readonly name: string;
  readonly type: 'f32' | 'u32' | 'vec4f';
  /** `before`, of u32, is the sum of the values of all lower lanes. */
  readonly op: 'sum' | 'max' | 'before';
  /** Invocations in the workgroup, which must be one-dimensional; a power of two. */
  readonly size: number;
  readonly reduce: Exclude<Reduce, 'serial'>;
  /** Neighbouring invocations that are certainly in one subgroup. */
  readonly lanes?: number | undefined;
}

export interface Reducer {
  /** WGSL text to put before `main`. */
  readonly code: string;
  /** A WGSL expression of the result; of `sum` and `max` the same in every lane. Only in uniform control flow. */
  call(value: string): string;
}

/** Parameters that `main` needs besides `lane` (its local_invocation_index) for the reducers. */
export const laneBuiltins = (reduce: Reduce): string =>
  `@builtin(local_invocation_index) lane: u32${
    reduce === 'subgroup' ? ', @builtin(subgroup_size) lanes: u32' : ''
  }`;

/** Fewest invocations that a subgroup has. */
const LEAST_LANES = 4;

/**
 * A reduction whose order depends only on the workgroup size (and the subgroup size of the
 * adapter), so equal inputs give equal bits. Subgroup sizes are read at run time: phones have 128.
 */
export function reducer(params: ReducerParams): Reducer {
  const { name, type, op, size, reduce } = params;
  assert(size > 0 && (size & (size - 1)) === 0, `${name}: size ${size} is not a power of two`);
  if (size === 1) return { code: '', call: (value) => (op === 'before' ? `${type}()` : value) };
  const subgroup = reduce === 'subgroup';
  if (subgroup && size <= (params.lanes ?? 1)) {
    return { code: '', call: (value) => `${WHOLE[op]}(${value})` };
  }
  assert(!subgroup || op !== 'before', `${name}: sums of lower lanes go through workgroup memory`);
  const body = subgroup ? subgroupBody(params) : memoryBody(params);
  const code = wgsl`
var<workgroup> ${name}_scratch: array<${type}, ${subgroup ? Math.ceil(size / LEAST_LANES) : size}>;
fn ${name}(value: ${type}, lane: u32${subgroup ? ', lanes: u32' : ''}) -> ${type} {
  ${body}
}`;
  return { code, call: (value) => `${name}(${value}, lane${subgroup ? ', lanes' : ''})` };
}

/** Of one subgroup. */
const WHOLE = { sum: 'subgroupAdd', max: 'subgroupMax', before: 'subgroupExclusiveAdd' } as const;

const combined = (op: ReducerParams['op'], a: string, b: string): string =>
  op === 'max' ? `max(${a}, ${b})` : `${a} + ${b}`;

/** Each subgroup reduces its own values, then all of them what all of them left. */
function subgroupBody({ name, type, op, size }: ReducerParams): string {
  const scratch = `${name}_scratch`;
  return `
  let part = ${WHOLE[op]}(value);
  if (lane % lanes == 0u) { ${scratch}[lane / lanes] = part; }
  workgroupBarrier();
  let parts = (${size}u + lanes - 1u) / lanes;
  var total = ${op === 'max' ? `${scratch}[0]` : `${type}()`};
  for (var i = 0u; i < parts; i += lanes) {
    let at = i + lane % lanes;
    if (at < parts) { total = ${combined(op, 'total', `${scratch}[at]`)}; }
  }
  total = ${WHOLE[op]}(total);
  workgroupBarrier();
  return total;`;
}

function memoryBody({ name, op, size }: ReducerParams): string {
  const scratch = `${name}_scratch`;
  if (op === 'before') {
    return `
  var total = value;
  for (var stride = 1u; stride < ${size}u; stride <<= 1u) {
    ${scratch}[lane] = total;
    workgroupBarrier();
    if (lane >= stride) { total += ${scratch}[lane - stride]; }
    workgroupBarrier();
  }
  return total - value;`;
  }
  return `
  ${scratch}[lane] = value;
  for (var stride = ${size >> 1}u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) { ${scratch}[lane] = ${combined(op, `${scratch}[lane]`, `${scratch}[lane + stride]`)}; }
  }
  workgroupBarrier();
  let total = ${scratch}[0];
  workgroupBarrier();
  return total;`;
}
