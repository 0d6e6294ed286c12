import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { quads, rowBinding, rowReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { rowTableBinding } from '../lib/row-table.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { productBytes } from '../product/columns.ts';
import { KV_RULES, type KvShape, kvBinding } from './kv-cache.ts';
import { qkvStore, touchedOf } from './qkv-store.ts';

export interface RopeCacheParams extends KvShape {
  readonly rows: number;
  readonly nHead: number;
}

export type RopeCacheBindings = {
  readonly qkv: Binding<'in'>;
  readonly rope: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly kv: Binding<'inout'>;
  readonly q: Binding<'out'>;
};

/**
 * 2-D RoPE on q and k and the write of k and v into the cache, for many rows (prefill) after one
 * product has made q | k | v. Pairs are adjacent values; the first half of a head turns with the
 * grid row, the second with the column; condition tokens become zero vectors.
 *
 * Shapes: qkv [rows, (nHead + 2 nKvHead) * headDim], rope [positions, headDim / 2, 2] (cos, sin),
 * rowTable u32 [rows, 4] (`Row`), kv [2, slots, nKvHead, positions, headDim],
 * q [rows, nHead * headDim].
 * Source: LlamaGen autoregressive/models/gpt.py, apply_rotary_emb and KVCache.update.
 */
export function ropeCache(params: RopeCacheParams): Kernel<RopeCacheBindings> {
  const identity = assertParams('rope_cache', params, {
    ...KV_RULES,
    rows: rule.size,
    nHead: rule.size,
  });
  const { rows, nHead, nKvHead, headDim, positions } = params;
  const width = (nHead + 2 * nKvHead) * headDim;
  const bindings: RopeCacheBindings = {
    qkv: rowBinding('in', [rows, width]),
    rope: { role: 'in', dtype: 'f32', shape: [positions, headDim / 2, 2], element: 'vec4f' },
    rowTable: rowTableBinding('in', rows),
    kv: kvBinding('inout', params),
    q: rowBinding('out', [rows, nHead * headDim]),
  };
  assertIndexable('rope_cache', bindings);
  const size = 64;
  const [gx, gy] = grid(ceilDiv(rows * quads(width), size));
  const code = wgsl`
${declare(bindings)}
${rowReader({ name: 'qkv', dtype: 'f32', length: width })}
${qkvStore(params)}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let row = unit / ${quads(width)}u;
  if (row >= ${rows}u) { return; }
  let i = unit % ${quads(width)}u;
  store(row, i, qkv_at(row, i));
}`;
  return {
    ...identity,
    label: `rope_cache ${params.kvDtype ?? 'f32'}[${nHead}/${nKvHead},${headDim}] x ${rows}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    cost: { bytes: productBytes(touchedOf(bindings, params), 1) },
  };
}
