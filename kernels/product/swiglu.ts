import { type Binding, type Kernel, type MatrixDType, PORTABLE, type Variant } from '../kernel.ts';
import { rowBinding, rowWriter } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
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
    rows: 'size',
    dim: 'size',
    hiddenDim: 'size',
    normEps: 'eps',
    dtype: 'matrixDtype?',
    columns: 'part?',
    variant: 'variant?',
    tile: 'tile?',
  });
  const { rows, dim, hiddenDim, normEps, dtype = 'f32', variant = PORTABLE } = params;
  const { columns } = params;
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
    {
      name: 'swiglu',
      rows,
      inDim: dim,
      outDim: hiddenDim,
      columns,
      dtype,
      weights: ['w1', 'w3'],
      normEps,
      variant,
      tile: params.tile,
    },
    bindings,
    epilogue,
  );
  return { ...identity, ...dispatch };
}
