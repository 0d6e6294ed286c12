import {
  assert,
  type Binding,
  type Bindings,
  ceilDiv,
  declare,
  grid,
  type Kernel,
} from '../kernel.ts';
import { rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { rowLib, rowTableBinding } from '../lib/row-table.ts';
import { wgsl } from '../lib/wgsl.ts';
import { assertSplit, cutPositions } from './attention-tile.ts';

export interface MergeAttentionParams {
  readonly rows: number;
  readonly nHead: number;
  readonly headDim: number;
  /** Capacity of the cache. */
  readonly positions: number;
  /** As of `attentionParts`. */
  readonly split: number;
}

export type MergeAttentionBindings = {
  readonly sums: Binding<'in'>;
  readonly peaks: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;

/**
 * Puts the parts of `attentionParts` together, first to last: with top = max of their peaks,
 * out = sum exp(peak_s - top) sums_s / sum exp(peak_s - top) weight_s over the parts up to that of the
 * row's position. One invocation for each four values; no barrier, the same under every variant.
 *
 * Shapes: sums f32 [rows, nHead, parts, headDim], peaks f32 [rows, nHead, parts, 2] (peak, weight),
 * rowTable u32 [rows, 4] (`Row`), out f32 [rows, nHead * headDim].
 */
export function mergeAttention(params: MergeAttentionParams): Kernel<MergeAttentionBindings> {
  const identity = assertParams('merge_attention', params, {
    rows: 'size',
    nHead: 'size',
    headDim: 'size',
    positions: 'size',
    split: 'any',
  });
  const { rows, nHead, headDim, positions, split } = params;
  assert(headDim % 4 === 0, `merge_attention: headDim must be a multiple of 4, got ${headDim}`);
  assertSplit('merge_attention', split);
  const { parts, columns } = cutPositions(positions, split);
  const units = [rows, nHead, parts];
  const bindings = {
    sums: rowBinding('in', [...units, headDim]),
    peaks: { role: 'in', dtype: 'f32', shape: [...units, 2], element: 'vec2f' },
    rowTable: rowTableBinding('in', rows),
    out: rowBinding('out', [rows, nHead * headDim]),
  } as const satisfies Bindings;
  assertIndexable('merge_attention', bindings);
  const quads = headDim / 4;
  const count = rows * nHead * quads;
  const [gx, gy] = grid(ceilDiv(count, SIZE));
  const code = wgsl`${rowLib}
${declare(bindings)}
${rowReader({ name: 'sums', dtype: 'f32', length: headDim })}
${rowWriter({ name: 'out', dtype: 'f32', length: headDim })}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (index >= ${count}u) { return; }
  let pair = index / ${quads}u;
  let i = index % ${quads}u;
  let position = rowTable[pair / ${nHead}u].position;
  if (position >= ${positions}u) { return; }
  let begin = pair * ${parts}u;
  let end = begin + position / ${columns}u;
  var top = peaks[begin].x;
  for (var part = begin + 1u; part <= end; part++) { top = max(top, peaks[part].x); }
  var sum = vec4f();
  var weight = 0.0;
  for (var part = begin; part <= end; part++) {
    let scale = exp(peaks[part].x - top);
    sum += scale * sums_at(part, i);
    weight += scale * peaks[part].y;
  }
  out_put(pair, i, sum / weight);
}`;
  return {
    ...identity,
    label: `merge_attention ${parts} x ${columns} columns f32[${nHead},${headDim}] x ${rows}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
