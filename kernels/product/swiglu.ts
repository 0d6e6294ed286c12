import {
  type Binding,
  ceilDiv,
  declare,
  grid,
  type Kernel,
  type MatrixDType,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { weightBindings } from '../lib/weights.ts';
import { wgsl } from '../lib/wgsl.ts';
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

const silu = 'fn silu(v: vec4f) -> vec4f { return v / (1.0 + exp(-v)); }';

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
  const epilogue = `${silu}
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

export type SiluMulBindings = {
  readonly gate: Binding<'in'>;
  readonly up: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * The elementwise middle of the feed-forward layer for many rows: out = silu(gate) * up.
 *
 * Shapes: gate, up and out [rows, hiddenDim] f32.
 * Source: LlamaGen autoregressive/models/gpt.py, FeedForward.
 */
export function siluMul(params: { rows: number; hiddenDim: number }): Kernel<SiluMulBindings> {
  const identity = assertParams('silu_mul', params, { rows: 'size', hiddenDim: 'size' });
  const { rows, hiddenDim } = params;
  const row = { dtype: 'f32', length: hiddenDim } as const;
  const bindings: SiluMulBindings = {
    gate: rowBinding('in', [rows, hiddenDim]),
    up: rowBinding('in', [rows, hiddenDim]),
    out: rowBinding('out', [rows, hiddenDim]),
  };
  assertIndexable('silu_mul', bindings);
  const size = 64;
  const [gx, gy] = grid(ceilDiv(rows * quads(hiddenDim), size));
  const code = wgsl`
${declare(bindings)}
${rowReader({ name: 'gate', ...row })}
${rowReader({ name: 'up', ...row })}
${rowWriter({ name: 'out', ...row })}
${silu}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let row = unit / ${quads(hiddenDim)}u;
  if (row >= ${rows}u) { return; }
  let i = unit % ${quads(hiddenDim)}u;
  out_put(row, i, silu(gate_at(row, i)) * up_at(row, i));
}`;
  return {
    ...identity,
    label: `silu_mul f32[${rows},${hiddenDim}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
