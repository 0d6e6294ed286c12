import type { Binding, Bindings, Kernel, MatrixDType, Variant } from '../kernel.ts';
import { rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { weightBindings } from '../lib/weights.ts';
import { type Columns, columnsOf } from './columns.ts';
import { productKernel } from './product.ts';
import { PRODUCT_RULES } from './product-rules.ts';
import type { ProductTile } from './product-tile.ts';

export interface LinearParams {
  /** Vectors to transform; any number, meant for up to a few dozen. */
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  /** int8 and int4 add the binding `weightScales`; see lib/quants.ts. */
  readonly dtype?: MatrixDType | undefined;
  /** Make these columns only; parts after the first add to `out`. Default all. */
  readonly columns?: Columns | undefined;
  /** RMSNorm the input first with this eps; adds the binding `gain` [inDim]. */
  readonly normEps?: number | undefined;
  /** Add the binding `residual` [rows, outDim] to the result. */
  readonly residual?: boolean | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice. */
  readonly tile?: Partial<ProductTile> | undefined;
}

export type LinearBindings = {
  readonly x: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type NormLinearBindings = LinearBindings & { readonly gain: Binding<'in'> };
export type ResidualLinearBindings = LinearBindings & { readonly residual: Binding<'in'> };

/**
 * Product of few rows with a weight: out[r, o] = sum_i norm(x)[r, i] * weight[o, i] (+ residual[r, o]).
 *
 * Shapes: x [rows, inDim] f32, weight [outDim, inDim], gain [inDim] f32,
 * residual and out [rows, outDim] f32. Sums in f32, in an order that does not depend on `rows`.
 * Source: torch.nn.Linear without bias; with `normEps` preceded by LlamaGen
 * autoregressive/models/gpt.py, RMSNorm.
 */
export function linear(params: LinearParams & { normEps: number }): Kernel<NormLinearBindings>;
export function linear(params: LinearParams & { residual: true }): Kernel<ResidualLinearBindings>;
export function linear(params: LinearParams & { normEps?: never }): Kernel<LinearBindings>;
export function linear(params: LinearParams): Kernel {
  const identity = assertParams('linear', params, {
    ...PRODUCT_RULES,
    normEps: rule.optional(rule.eps),
    residual: rule.optional(rule.flag),
  });
  const { rows, inDim, outDim, dtype, normEps, residual = false } = params;
  const { first, count } = columnsOf('linear', params);
  const bindings: Bindings = {
    x: rowBinding('in', [rows, inDim]),
    ...weightBindings('weight', [count, inDim], dtype),
    ...(normEps !== undefined && { gain: rowBinding('in', [inDim]) }),
    ...(residual && { residual: rowBinding('in', [rows, outDim]) }),
    out: rowBinding(first > 0 ? 'inout' : 'out', [rows, outDim]),
  };
  const row = { dtype: 'f32', length: outDim } as const;
  const epilogue = `${residual ? rowReader({ name: 'residual', ...row }) : ''}
${rowWriter({ name: 'out', ...row })}
fn store(row: u32, i: u32, a: vec4f) {
  out_put(row, i, a${residual ? ' + residual_at(row, i)' : ''});
}`;
  const dispatch = productKernel(
    {
      ...params,
      name: `linear${normEps === undefined ? '' : ' norm'}${residual ? ' residual' : ''}`,
      weights: ['weight'],
    },
    bindings,
    epilogue,
  );
  return { ...identity, ...dispatch };
}
