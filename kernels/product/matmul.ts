import {
  assert,
  type Bindings,
  ceilDiv,
  declare,
  enable,
  type Kernel,
  MAX_WORKGROUPS,
  type MatrixDType,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import {
  rowBinding,
  rowReader,
  rowWriter,
  variantFeatures,
  weightBindings,
} from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams, assertTile, PRODUCT_RULES } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Columns, columnsOf } from './columns.ts';
import { type LinearBindings, linear, type ResidualLinearBindings } from './linear.ts';
import { PRODUCT_SETTINGS, type ProductTile } from './product-tile.ts';

export interface MatmulParams {
  /** Vectors to transform; meant for more than a few dozen. */
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  /** int8 and int4 add the binding `weightScales`; see lib/accessors.ts. */
  readonly dtype?: MatrixDType;
  /** Make these columns only; parts after the first add to `out`. Default all. */
  readonly columns?: Columns | undefined;
  /** Add the binding `residual` [rows, outDim] to the result. */
  readonly residual?: boolean;
  readonly variant?: Variant;
  /** Settings of `linear`, for kernels without barriers. */
  readonly tile?: Partial<ProductTile> | undefined;
}

/** Side of the square of outputs a workgroup makes; each invocation makes 4 x 4 of them. */
const TILE = 64;
/** Depth of the slices kept in workgroup memory, in groups of four. */
const SLICE = 4;

/**
 * Tiled product of many rows with a weight: out[r, o] = sum_i x[r, i] * weight[o, i] (+ residual[r, o]).
 *
 * Shapes as in `linear`: x [rows, inDim], weight [outDim, inDim], residual and out [rows, outDim].
 * A workgroup makes 64 x 64 outputs from slices of 64 x 16 values of both operands in workgroup
 * memory. Without barriers (serial) it is `linear`, whose register tiles need none.
 * Source: torch.nn.Linear without bias.
 */
export function matmul(params: MatmulParams & { residual: true }): Kernel<ResidualLinearBindings>;
export function matmul(params: MatmulParams & { residual?: false }): Kernel<LinearBindings>;
export function matmul(params: MatmulParams): Kernel {
  const identity = assertParams('matmul', params, { ...PRODUCT_RULES, residual: 'flag?' });
  assertTile('matmul', params.tile, PRODUCT_SETTINGS);
  const { rows, inDim, outDim, dtype = 'f32', residual = false } = params;
  const { variant = PORTABLE } = params;
  if (variant.reduce === 'serial') return linear({ ...params, residual: residual as true });
  const { first, count } = columnsOf('matmul', params);
  const workgroups = [ceilDiv(count, TILE), ceilDiv(rows, TILE), 1] as const;
  assert(Math.max(...workgroups) <= MAX_WORKGROUPS, `matmul: ${rows} x ${outDim} is too large`);
  const bindings: Bindings = {
    x: rowBinding('in', [rows, inDim]),
    ...weightBindings('weight', [count, inDim], dtype, { width: 4, nativeF16: variant.f16 }),
    ...(residual && { residual: rowBinding('in', [rows, outDim]) }),
    out: rowBinding(first > 0 ? 'inout' : 'out', [rows, outDim]),
  };
  assertIndexable('matmul', bindings);
  const features = variantFeatures({ ...variant, reduce: 'workgroup' }, dtype === 'f16');
  const out = { dtype: 'f32', length: outDim } as const;
  const four = [0, 1, 2, 3];
  const code = wgsl`${enable(features)}
${declare(bindings)}
const SLICES = ${ceilDiv(inDim, SLICE * 4)}u;
${rowReader({ name: 'x', dtype: 'f32', length: inDim })}
${rowReader({ name: 'weight', dtype, length: inDim, nativeF16: variant.f16 })}
${residual ? rowReader({ name: 'residual', ...out }) : ''}
${rowWriter({ name: 'out', ...out })}
var<workgroup> left: array<vec4f, ${TILE * SLICE}>;
var<workgroup> right: array<vec4f, ${TILE * SLICE}>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = lane % 16u;
  let line = lane / 16u;
  ${four.map((r) => `var sum${r} = vec4f();`).join(' ')}
  for (var slice = 0u; slice < SLICES; slice++) {
    let k = slice * ${SLICE}u + lane % ${SLICE}u;
    let side = lane / ${SLICE}u;
    let from_row = group.y * ${TILE}u + side;
    let from_column = group.x * ${TILE}u + side;
    var a = vec4f();
    var b = vec4f();
    if (k < ${ceilDiv(inDim, 4)}u) {
      if (from_row < ${rows}u) { a = x_at(from_row, k); }
      if (from_column < ${count}u) { b = weight_at(from_column, k); }
    }
    left[lane] = a;
    right[lane] = b;
    workgroupBarrier();
    for (var s = 0u; s < ${SLICE}u; s++) {
      ${four.map((c) => `let b${c} = right[(column * 4u + ${c}u) * ${SLICE}u + s];`).join('\n      ')}
      ${four
        .map(
          (r) =>
            `let a${r} = left[(line * 4u + ${r}u) * ${SLICE}u + s]; sum${r} += vec4f(${four.map((c) => `dot(a${r}, b${c})`).join(', ')});`,
        )
        .join('\n      ')}
    }
    workgroupBarrier();
  }
  if (group.x * ${TILE}u + column * 4u >= ${count}u) { return; }
  let i = group.x * ${TILE / 4}u + column + ${first / 4}u;
  let first = group.y * ${TILE}u + line * 4u;
  ${four
    .map(
      (r) =>
        `if (first + ${r}u < ${rows}u) { out_put(first + ${r}u, i, sum${r}${residual ? ` + residual_at(first + ${r}u, i)` : ''}); }`,
    )
    .join('\n  ')}
}`;
  return {
    ...identity,
    label: `matmul${residual ? ' residual' : ''} ${dtype}[${count},${inDim}]${first > 0 ? ` from ${first}` : ''} x ${rows}`,
    code,
    bindings,
    workgroups,
    features,
  };
}
