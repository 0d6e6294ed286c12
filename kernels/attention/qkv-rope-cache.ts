import type { Binding, Kernel, MatrixDType, Variant } from '../kernel.ts';
import { rowBinding } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import { rowTableBinding } from '../lib/row-table.ts';
import * as rule from '../lib/rules.ts';
import { weightBindings } from '../lib/weights.ts';
import { type Columns, columnsOf, productBytes } from '../product/columns.ts';
import { productKernel } from '../product/product.ts';
import type { ProductTile } from '../product/product-tile.ts';
import { KV_RULES, type KvShape, kvBinding } from './kv-cache.ts';
import { qkvStore, touchedOf } from './qkv-store.ts';

export interface QkvRopeCacheParams extends KvShape {
  readonly rows: number;
  readonly dim: number;
  readonly nHead: number;
  readonly normEps: number;
  /** int8 and int4 add the binding `weightScales`; see lib/quants.ts. */
  readonly dtype?: MatrixDType | undefined;
  /** Make these columns of q | k | v only; parts after the first add to `q`. Default all. */
  readonly columns?: Columns | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice. */
  readonly tile?: Partial<ProductTile> | undefined;
}

export type QkvRopeCacheBindings = {
  readonly x: Binding<'in'>;
  readonly gain: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly rope: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly kv: Binding<'inout'>;
  readonly q: Binding<'out'>;
};

/**
 * First half of an attention layer for few rows, in one dispatch: RMSNorm, the product with wqkv,
 * 2-D RoPE on q and k, and the write of k and v into the cache where each row stands.
 *
 * Shapes: x [rows, dim], gain [dim], weight wqkv [(nHead + 2 nKvHead) * headDim, dim],
 * rope [positions, headDim / 2, 2] (cos, sin), rowTable u32 [rows, 4] (`Row`),
 * kv [2, slots, nKvHead, positions, headDim], q [rows, nHead * headDim].
 * Source: LlamaGen autoregressive/models/gpt.py, Attention.forward, apply_rotary_emb, KVCache.update.
 */
export function qkvRopeCache(params: QkvRopeCacheParams): Kernel<QkvRopeCacheBindings> {
  const identity = assertParams('qkv_rope_cache', params, {
    ...KV_RULES,
    rows: rule.size,
    dim: rule.size,
    nHead: rule.size,
    normEps: rule.eps,
    dtype: rule.optional(rule.matrixDtype),
    columns: rule.optional(rule.part),
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { rows, dim, nHead, nKvHead, headDim, positions, dtype, columns } = params;
  const outDim = (nHead + 2 * nKvHead) * headDim;
  const { first, count } = columnsOf('qkv_rope_cache', { outDim, columns });
  const bindings: QkvRopeCacheBindings = {
    x: rowBinding('in', [rows, dim]),
    gain: rowBinding('in', [dim]),
    ...weightBindings('weight', [count, dim], dtype),
    rope: { role: 'in', dtype: 'f32', shape: [positions, headDim / 2, 2], element: 'vec4f' },
    rowTable: rowTableBinding('in', rows),
    kv: kvBinding('inout', params),
    // A part after the first is given the q of the first; the type is that of a whole kernel.
    q: rowBinding(first > 0 ? ('inout' as 'out') : 'out', [rows, nHead * headDim]),
  };
  const dispatch = productKernel(
    {
      ...params,
      name: `qkv_rope_cache ${params.kvDtype ?? 'f32'}`,
      inDim: dim,
      outDim,
      weights: ['weight'],
    },
    bindings,
    qkvStore(params),
  );
  const bytes = productBytes(touchedOf(bindings, params), count / outDim, ['q', 'kv']);
  return { ...identity, ...dispatch, cost: { ...dispatch.cost, bytes } };
}
