import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  assert,
  assertSizes,
  type Binding,
  type Bindings,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  MAX_WORKGROUP_BYTES,
  PORTABLE,
  range,
  type Variant,
} from './kernel.ts';
import { assertIndexable } from './lib/indexable.ts';
import { type KvShape, kvBinding, kvLib } from './lib/kv-cache.ts';
import { laneBuiltins, reducer } from './lib/reduce.ts';
import { rowBinding, rowReader, rowWriter, variantFeatures } from './lib/rows.ts';

export interface AttentionParams extends KvShape {
  readonly rows: number;
  readonly nHead: number;
  /** Add the binding `mask`: columns that no row but their own may attend to. */
  readonly masked?: boolean;
  readonly variant?: Variant;
}

export type AttentionBindings = {
  readonly q: Binding<'in'>;
  readonly kv: Binding<'in'>;
  readonly place: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type MaskedAttentionBindings = AttentionBindings & { readonly mask: Binding<'in'> };

/**
 * Attention of each row's query over the cached keys 0 .. position of its slot:
 * out = softmax(q k^T / sqrt(headDim)) v, per head. Serves decoding (one row a sequence) and
 * prefill (many rows, all written to the cache before). With `masked`, a row at position p attends
 * to column j <= p where mask[slot, j] != 0 or j = p, so that padding never gives NaN.
 *
 * Shapes: q and out f32 [rows, nHead * headDim], kv [2, slots, nKvHead, positions, headDim],
 * place u32 [rows, 2] (KV slot, position), mask u32 [slots, positions]. KV head
 * h / (nHead / nKvHead) serves head h. Sums in f32.
 * Serial: one invocation per row and head, online softmax (Milakov and Gimelshein 2018,
 * arXiv:1805.02867). Otherwise one workgroup per row and head, scores in workgroup memory.
 * Source: LlamaGen autoregressive/models/gpt.py, Attention.forward.
 */
export function attention(
  params: AttentionParams & { masked: true },
): Kernel<MaskedAttentionBindings>;
export function attention(params: AttentionParams & { masked?: false }): Kernel<AttentionBindings>;
export function attention(params: AttentionParams): Kernel {
  const { rows, nHead, nKvHead, headDim, slots, positions, kvDtype = 'f32' } = params;
  const { masked = false, variant = PORTABLE } = params;
  assertSizes('attention', { rows, nHead, nKvHead, headDim, slots, positions });
  assert(
    nHead % nKvHead === 0,
    `attention: nHead ${nHead} is not a multiple of nKvHead ${nKvHead}`,
  );
  const bindings: Bindings = {
    q: rowBinding('in', [rows, nHead * headDim]),
    kv: kvBinding('in', params, variant),
    place: { role: 'in', dtype: 'u32', shape: [rows, 2], element: 'vec2u' },
    ...(masked && { mask: { role: 'in', dtype: 'u32', shape: [slots, positions] } }),
    out: rowBinding('out', [rows, nHead * headDim]),
  };
  assertIndexable('attention', bindings);
  const features = variantFeatures(variant, kvDtype === 'f16');
  const row = { dtype: 'f32', length: nHead * headDim } as const;
  const head = `${enable(features)}
${declare(bindings)}
const SCALE = f32(${1 / Math.sqrt(headDim)});
${rowReader({ name: 'q', ...row })}
${rowReader({ name: 'kv', dtype: kvDtype, length: headDim, nativeF16: variant.f16 })}
${rowWriter({ name: 'out', ...row })}
${kvLib(params)}
fn allowed(slot: u32, column: u32, position: u32) -> bool {
  return ${masked ? `column == position || mask[slot * ${positions}u + column] != 0u` : 'true'};
}`;
  const body = { ...params, group: nHead / nKvHead, quadsPerHead: headDim / 4 };
  const { code, size, units } =
    variant.reduce === 'serial'
      ? serialBody(body)
      : sharedBody({ ...body, reduce: variant.reduce });
  const [gx, gy] = grid(units);
  return {
    label: `attention ${kvDtype}[${nHead}/${nKvHead},${headDim}] x ${rows}`,
    code: wgsl`${head}
${code.before}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(variant.reduce)}) {
  let unit = group.y * ${gx}u + group.x;
${code.main}
}`,
    bindings,
    workgroups: [gx, gy, 1],
    features,
  };
}

interface Body extends AttentionParams {
  /** Heads that share a KV head. */
  readonly group: number;
  readonly quadsPerHead: number;
}

interface Parts {
  readonly code: { readonly before: string; readonly main: string };
  readonly size: number;
  readonly units: number;
}

function serialBody({ rows, nHead, positions, group, quadsPerHead }: Body): Parts {
  const size = 4; // rows x heads are few, and a software adapter runs one workgroup per thread
  const d = range(quadsPerHead);
  const main = `
  let index = unit * ${size}u + lane;
  if (index >= ${rows * nHead}u) { return; }
  let row = index / ${nHead}u;
  let head = index % ${nHead}u;
  let slot = place[row].x;
  let position = place[row].y;
  if (position >= ${positions}u) { return; }
  let keys = kv_row(0u, slot, head / ${group}u, 0u);
  let values = kv_row(1u, slot, head / ${group}u, 0u);
  ${d.map((i) => `let q${i} = q_at(row, head * ${quadsPerHead}u + ${i}u); var sum${i} = vec4f();`).join('\n  ')}
  var best = -3.0e38;
  var weight = 0.0;
  for (var j = 0u; j <= position; j++) {
    if (!allowed(slot, j, position)) { continue; }
    var score = 0.0;
    ${d.map((i) => `score += dot(q${i}, kv_at(keys + j, ${i}u));`).join('\n    ')}
    score *= SCALE;
    let top = max(best, score);
    let fade = exp(best - top);
    let p = exp(score - top);
    best = top;
    weight = weight * fade + p;
    ${d.map((i) => `sum${i} = sum${i} * fade + p * kv_at(values + j, ${i}u);`).join('\n    ')}
  }
  ${d.map((i) => `out_put(row, head * ${quadsPerHead}u + ${i}u, sum${i} / weight);`).join('\n  ')}`;
  return { code: { before: '', main }, size, units: ceilDiv(rows * nHead, size) };
}

function sharedBody(body: Body & { readonly reduce: 'workgroup' | 'subgroup' }): Parts {
  const { rows, nHead, positions, group, quadsPerHead, reduce } = body;
  const size = Math.max(64, 2 ** Math.ceil(Math.log2(quadsPerHead)));
  const splits = Math.floor(size / quadsPerHead);
  const bytes = positions * 4 + (splits + 1) * quadsPerHead * 16 + size * 8;
  assert(
    bytes <= MAX_WORKGROUP_BYTES,
    `attention: ${positions} positions need ${bytes} bytes of workgroup memory, at most ${MAX_WORKGROUP_BYTES} are there`,
  );
  const top = reducer({ name: 'highest', type: 'f32', op: 'max', size, reduce });
  const sum = reducer({ name: 'total', type: 'f32', op: 'sum', size, reduce });
  const before = `
var<workgroup> query: array<vec4f, ${quadsPerHead}>;
var<workgroup> scores: array<f32, ${positions}>;
var<workgroup> parts: array<vec4f, ${splits * quadsPerHead}>;
${top.code}
${sum.code}`;
  const main = `
  if (unit >= ${rows * nHead}u) { return; }
  let row = unit / ${nHead}u;
  let head = unit % ${nHead}u;
  let slot = place[row].x;
  let position = place[row].y;
  if (position >= ${positions}u) { return; }
  let keys = kv_row(0u, slot, head / ${group}u, 0u);
  let values = kv_row(1u, slot, head / ${group}u, 0u);
  if (lane < ${quadsPerHead}u) { query[lane] = q_at(row, head * ${quadsPerHead}u + lane); }
  workgroupBarrier();
  var best = -3.0e38;
  for (var j = lane; j <= position; j += ${size}u) {
    var score = -3.0e38;
    if (allowed(slot, j, position)) {
      score = 0.0;
      for (var i = 0u; i < ${quadsPerHead}u; i++) { score += dot(query[i], kv_at(keys + j, i)); }
      score *= SCALE;
    }
    scores[j] = score;
    best = max(best, score);
  }
  let peak = ${top.call('best')};
  var weight = 0.0;
  for (var j = lane; j <= position; j += ${size}u) {
    let p = select(0.0, exp(scores[j] - peak), allowed(slot, j, position));
    scores[j] = p;
    weight += p;
  }
  let all = ${sum.call('weight')};
  let i = lane % ${quadsPerHead}u;
  let split = lane / ${quadsPerHead}u;
  if (split < ${splits}u) {
    var v = vec4f();
    for (var j = split; j <= position; j += ${splits}u) { v += scores[j] * kv_at(values + j, i); }
    parts[split * ${quadsPerHead}u + i] = v;
  }
  workgroupBarrier();
  if (lane < ${quadsPerHead}u) {
    var v = parts[lane];
    for (var s = 1u; s < ${splits}u; s++) { v += parts[s * ${quadsPerHead}u + lane]; }
    out_put(row, head * ${quadsPerHead}u + lane, v / all);
  }`;
  return { code: { before, main }, size, units: rows * nHead };
}
