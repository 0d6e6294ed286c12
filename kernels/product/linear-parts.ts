import { assert, type Bindings, type Kernel } from '../kernel.ts';
import { rowBinding, rowWriter } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { weightBindings } from '../lib/weights.ts';
import { columnsOf } from './columns.ts';
import type { LinearBindings, LinearParams } from './linear.ts';
import { productKernel } from './product.ts';
import { PRODUCT_RULES } from './product-rules.ts';

export interface LinearPartsParams extends Omit<LinearParams, 'normEps' | 'residual'> {
  /** Parts that inDim is cut into. */
  readonly split: number;
}

/** Parts of 48 values in the narrowest official model (dim 768). */
const MAX_SPLIT = 16;

/** Why inDim cannot be cut into so many parts, or undefined where it can. */
export const splitProblem = (split: number): string | undefined =>
  Number.isInteger(split) && split > 0 && split <= MAX_SPLIT
    ? undefined
    : `"split" expected an integer from 1 to ${MAX_SPLIT}, got ${split}`;

/**
 * `linear` with inDim cut into parts, so that few columns keep a GPU busy; one more dispatch, `sumRows`,
 * puts the parts together in their order: out[p, r, o] = sum over part p of x[r, i] * weight[o, i].
 * Where the parts begin depends on inDim and the tile alone.
 *
 * Shapes: as of `linear`, but out f32 [split, rows, outDim].
 */
export function linearParts(params: LinearPartsParams): Kernel<LinearBindings> {
  const identity = assertParams('linear_parts', params, { ...PRODUCT_RULES, split: rule.size });
  const { rows, inDim, outDim, split, dtype } = params;
  const name = 'linear_parts';
  const { first, count } = columnsOf(name, params);
  const problem = splitProblem(split);
  assert(problem === undefined, `${name}: ${problem}`);
  const bindings: Bindings = {
    x: rowBinding('in', [rows, inDim]),
    ...weightBindings('weight', [count, inDim], dtype),
    out: rowBinding(first > 0 ? 'inout' : 'out', [split, rows, outDim]),
  };
  const epilogue = `${rowWriter({ name: 'out', dtype: 'f32', length: outDim })}
fn store(row: u32, i: u32, a: vec4f) { out_put(row, i, a); }`;
  const product = { ...params, name, weights: ['weight'] as const };
  return { ...identity, ...productKernel(product, bindings as LinearBindings, epilogue) };
}
