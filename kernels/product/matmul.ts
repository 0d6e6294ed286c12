import {
  type Bindings,
  declare,
  type Kernel,
  type MatrixDType,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams, assertTile } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { weightBindings, weightReader } from '../lib/weights.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Columns, columnsOf, productBytes } from './columns.ts';
import type { LinearBindings, ResidualLinearBindings } from './linear.ts';
import { MAP_SETTINGS, MAP_TILE, type MapTile, mapTile } from './map-tile.ts';
import { PRODUCT_RULES } from './product-rules.ts';
import { tiledLoop } from './tiled-product.ts';

export interface MatmulParams {
  /** Vectors to transform; meant for more than a few dozen. */
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  /** int8 and int4 add the binding `weightScales`; see lib/quants.ts. */
  readonly dtype?: MatrixDType | undefined;
  /** Make these columns only; parts after the first add to `out`. Default all. */
  readonly columns?: Columns | undefined;
  /** Add the binding `residual` [rows, outDim] to the result. */
  readonly residual?: boolean | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice: none changes a sum. */
  readonly tile?: Partial<MapTile> | undefined;
}

/**
 * Tiled product of many rows with a weight: out[r, o] = sum_i x[r, i] * weight[o, i] (+ residual[r, o]).
 *
 * Shapes as in `linear`: x [rows, inDim], weight [outDim, inDim], residual and out [rows, outDim].
 * One text for all variants, with barriers: where those are slow (serial), `linear` makes many rows
 * faster (5 to 7 times on SwiftShader). Sums in f32, in an order that does not depend on `rows`.
 * Source: torch.nn.Linear without bias.
 */
export function matmul(params: MatmulParams & { residual: true }): Kernel<ResidualLinearBindings>;
export function matmul(params: MatmulParams & { residual?: false }): Kernel<LinearBindings>;
export function matmul(params: MatmulParams): Kernel {
  const identity = assertParams('matmul', params, {
    ...PRODUCT_RULES,
    residual: rule.optional(rule.flag),
  });
  assertTile('matmul', params.tile, MAP_SETTINGS);
  const { rows, inDim, outDim, dtype = 'f32', residual = false } = params;
  const { variant = PORTABLE } = params;
  const { first, count } = columnsOf('matmul', params);
  const bindings: Bindings = {
    x: rowBinding('in', [rows, inDim]),
    ...weightBindings('weight', [count, inDim], dtype, 4),
    ...(residual && { residual: rowBinding('in', [rows, outDim]) }),
    out: rowBinding(first > 0 ? 'inout' : 'out', [rows, outDim]),
  };
  assertIndexable('matmul', bindings);
  const loop = tiledLoop(
    {
      ...{ name: 'matmul', batch: 1, m: rows, n: count, k: inDim, fours: true },
      left: { k: 1 },
      right: { k: 1 },
    },
    `fn left_at(batch: u32, k: u32, line: u32) -> vec4f { return x_at(line, k); }
fn right_at(batch: u32, k: u32, line: u32) -> vec4f { return weight_at(line, k); }`,
    mapTile(MAP_TILE, params.tile),
    variant,
  );
  const out = { dtype: 'f32', length: outDim } as const;
  const code = wgsl`${declare(bindings)}
${rowReader({ name: 'x', dtype: 'f32', length: inDim })}
${weightReader('weight', dtype, inDim, 4)}
${residual ? rowReader({ name: 'residual', ...out }) : ''}
${rowWriter({ name: 'out', ...out })}
fn store(batch: u32, row: u32, quad: u32, sums: vec4f) {
  let i = ${first / 4}u + quad;
  out_put(row, i, sums${residual ? ' + residual_at(row, i)' : ''});
}
${loop.code}`;
  return {
    ...identity,
    label: `matmul${residual ? ' residual' : ''} ${dtype}[${count},${inDim}]${first > 0 ? ` from ${first}` : ''} x ${rows}`,
    code,
    bindings,
    workgroups: loop.workgroups,
    cost: { bytes: productBytes(bindings, count / outDim), operations: 2 * rows * inDim * count },
  };
}
