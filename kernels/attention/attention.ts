import { byteLength } from '../cost.ts';
import {
  assert,
  type Binding,
  type Bindings,
  type Cost,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { rowLib, rowTableBinding } from '../lib/row-table.ts';
import * as rule from '../lib/rules.ts';
import { weightReader } from '../lib/weights.ts';
import { wgsl } from '../lib/wgsl.ts';
import { attentionLib, attentionMain } from './attention-body.ts';
import { spansLib, spansMain } from './attention-spans.ts';
import {
  type AttentionShape,
  type AttentionTile,
  attentionTile,
  exchangingLanes,
  headWidth,
} from './attention-tile.ts';
import { KV_RULES, kvBinding, kvLib } from './kv-cache.ts';

export interface AttentionParams extends AttentionShape {
  readonly rows: number;
  /** Add the binding `firsts`: columns before it are padding, which no row but their own attends to. */
  readonly padded?: boolean | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice. */
  readonly tile?: Partial<AttentionTile> | undefined;
}

export type AttentionBindings = {
  readonly q: Binding<'in'>;
  readonly kv: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type PaddedAttentionBindings = AttentionBindings & { readonly firsts: Binding<'in'> };

/**
 * Attention of each row's query over the cached keys 0 .. position of its slot:
 * out = softmax(q k^T / sqrt(headDim)) v, per head, in one dispatch. Serves decoding (one row a
 * sequence, or several at neighbouring positions) and prefill (many rows, all written to the cache
 * before). With `padded`, a row at position p attends to columns firsts[slot] .. p, and one that is
 * padding itself to its own, so that it never gives NaN.
 *
 * Shapes: q and out f32 [rows, nHead * headDim], kv [2, slots, nKvHead, positions, headDim],
 * rowTable u32 [rows, 4] (`Row`), firsts u32 [slots]. KV head
 * h / (nHead / nKvHead) serves head h. Sums in f32.
 * Serial: one invocation per row and head. Otherwise one workgroup per row and head, whose spans of
 * invocations each take some of the columns and are merged at the end. Online softmax (Milakov and
 * Gimelshein 2018, arXiv:1805.02867).
 * Source: LlamaGen autoregressive/models/gpt.py, Attention.forward.
 */
export function attention(
  params: AttentionParams & { padded: true },
): Kernel<PaddedAttentionBindings>;
export function attention(params: AttentionParams & { padded?: false }): Kernel<AttentionBindings>;
export function attention(params: AttentionParams): Kernel {
  const identity = assertParams('attention', params, {
    ...KV_RULES,
    rows: rule.size,
    nHead: rule.size,
    padded: rule.optional(rule.flag),
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { rows, nHead, nKvHead, headDim, slots, positions, kvDtype = 'f32' } = params;
  const { padded = false, variant = PORTABLE } = params;
  assert(
    nHead % nKvHead === 0,
    `attention: nHead ${nHead} is not a multiple of nKvHead ${nKvHead}`,
  );
  const width = headWidth(params);
  const bindings: Bindings = {
    q: rowBinding('in', [rows, nHead * headDim]),
    kv: { ...kvBinding('in', params), ...(width === 8 && { element: 'vec4u' }) },
    rowTable: rowTableBinding('in', rows),
    ...(padded && { firsts: { role: 'in', dtype: 'u32', shape: [slots] } }),
    out: rowBinding('out', [rows, nHead * headDim]),
  };
  assertIndexable('attention', bindings);
  const { size, span, keys, ahead } = attentionTile('attention', params, variant, params.tile);
  const serial = variant.reduce === 'serial';
  const begin = padded ? 'min(firsts[slot], position)' : '0u';
  const body = { keys, width, begin, pieces: headDim / width };
  const spans = { ...body, kvDtype, size, span, ahead, lanes: exchangingLanes(variant) };
  // Spans weigh by powers of two: what makes those of e is in the scale.
  const scale = (serial ? 1 : Math.LOG2E) / Math.sqrt(headDim);
  const units = rows * nHead;
  const [gx, gy] = grid(serial ? ceilDiv(units, size) : units);
  const features = variant.reduce === 'subgroup' ? (['subgroups'] as const) : [];
  const index = `group.y * ${gx}u + group.x`;
  const code = wgsl`${enable(features)}
${rowLib}
${declare(bindings)}
const SCALE = f32(${scale});
${rowReader({ name: 'q', dtype: 'f32', length: headDim })}
${serial ? weightReader('kv', kvDtype, headDim, width) : ''}
${rowWriter({ name: 'out', dtype: 'f32', length: headDim })}
${kvLib(params)}
${serial ? attentionLib(body) : spansLib(spans)}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = ${serial ? `(${index}) * ${size}u + lane` : index};
  if (unit >= ${units}u) { return; }
  let slot = rowTable[unit / ${nHead}u].slot;
  let position = rowTable[unit / ${nHead}u].position;
  if (position >= ${positions}u) { return; }
  let head = unit % ${nHead}u / ${nHead / nKvHead}u;
  let keys = kv_row(0u, slot, head, 0u);
  let values = kv_row(1u, slot, head, 0u);
  ${serial ? attentionMain(body) : spansMain(spans)}
}`;
  return {
    ...identity,
    label: `attention${padded ? ' padded' : ''} ${kvDtype}[${nHead}/${nKvHead},${headDim}] x ${rows}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features,
    cost: meanCost(params, bindings),
  };
}

/**
 * What attention moves and computes on average over the positions of a sequence: half of the cache, of as
 * many slots as there may be rows in.
 */
function meanCost(
  { rows, nHead, headDim, slots, positions }: AttentionParams,
  bindings: Bindings,
): Cost {
  const mean = (positions + 1) / 2;
  const share = (mean / positions) * (Math.min(rows, slots) / slots);
  const bytes = Object.entries(bindings).reduce(
    (sum, [name, binding]) => sum + byteLength(binding) * (name === 'kv' ? share : 1),
    0,
  );
  return { bytes, operations: 4 * rows * nHead * headDim * mean };
}
