import type { Binding, Kernel, MatrixDType, Variant } from '../kernel.ts';
import { rowBinding, rowWriter } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { siluLib } from '../lib/silu.ts';
import { weightBindings } from '../lib/weights.ts';
import { type Columns, columnsOf } from './columns.ts';
import { productKernel } from './product.ts';
import type { ProductTile } from './product-tile.ts';

export interface SwigluParams {
  readonly rows: number;
  readonly dim: number;
  readonly hiddenDim: number;
  readonly normEps: number;
  /** int8 and int4 add the bindings `w1Scales` and `w3Scales`; see lib/quants.ts. */
  readonly dtype?: MatrixDType | undefined;
  /** Make these columns only; parts after the first add to `out`. Default all. */
  readonly columns?: Columns | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice. */
  readonly tile?: Partial<ProductTile> | undefined;
}

export type SwigluBindings = {
  readonly x: Binding<'in'>;
  readonly gain: Binding<'in'>;
  readonly w1: Binding<'in'>;
  readonly w3: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * First half of the feed-forward layer for few rows, in one dispatch:
 * out = silu(norm(x) w1^T) * (norm(x) w3^T).
 *
 * Shapes: x [rows, dim], gain [dim], w1 and w3 [hiddenDim, dim], out [rows, hiddenDim].
 * Source: Shazeer 2020 (arXiv:2002.05202); LlamaGen autoregressive/models/gpt.py, FeedForward.
 */
export function swiglu(params: SwigluParams): Kernel<SwigluBindings> {
  const identity = assertParams('swiglu', params, {
    rows: rule.size,
    dim: rule.size,
    hiddenDim: rule.size,
    normEps: rule.eps,
    dtype: rule.optional(rule.matrixDtype),
    columns: rule.optional(rule.part),
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { rows, dim, hiddenDim, dtype, columns } = params;
  const { first, count } = columnsOf('swiglu', { outDim: hiddenDim, columns });
  const bindings: SwigluBindings = {
    x: rowBinding('in', [rows, dim]),
    gain: rowBinding('in', [dim]),
    ...weightBindings('w1', [count, dim], dtype),
    ...weightBindings('w3', [count, dim], dtype),
    // A part after the first is given the output of the first; the type is that of a whole kernel.
    out: rowBinding(first > 0 ? ('inout' as 'out') : 'out', [rows, hiddenDim]),
  };
  const epilogue = `${siluLib}
${rowWriter({ name: 'out', dtype: 'f32', length: hiddenDim })}
fn store(row: u32, i: u32, a: vec4f, b: vec4f) { out_put(row, i, silu(a) * b); }`;
  const dispatch = productKernel(
    { ...params, name: 'swiglu', inDim: dim, outDim: hiddenDim, weights: ['w1', 'w3'] },
    bindings,
    epilogue,
  );
  return { ...identity, ...dispatch };
}
