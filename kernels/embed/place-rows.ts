import { byteLength } from '../cost.ts';
import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface PlaceRowsParams {
  readonly rows: number;
  /** Lines of the table. */
  readonly lines: number;
  readonly dim: number;
}

export type PlaceRowsBindings = {
  readonly x: Binding<'in'>;
  readonly places: Binding<'in'>;
  readonly table: Binding<'inout'>;
};

/**
 * Writes rows where they belong in a table: table[places[r]] = x[r]. A place past the end of the table
 * drops its row; no two rows have the same.
 *
 * Shapes: x f32 [rows, dim], places u32 [rows], table f32 [lines, dim].
 */
export function placeRows(params: PlaceRowsParams): Kernel<PlaceRowsBindings> {
  const identity = assertParams('place_rows', params, {
    rows: rule.size,
    lines: rule.size,
    dim: rule.size,
  });
  const { rows, lines, dim } = params;
  const row = { dtype: 'f32', length: dim } as const;
  const bindings: PlaceRowsBindings = {
    x: rowBinding('in', [rows, dim]),
    places: { role: 'in', dtype: 'u32', shape: [rows] },
    table: rowBinding('inout', [lines, dim]),
  };
  assertIndexable('place_rows', bindings);
  const size = 64;
  const [gx, gy] = grid(ceilDiv(rows * quads(dim), size));
  const code = wgsl`
${declare(bindings)}
${rowReader({ name: 'x', ...row })}
${rowWriter({ name: 'table', ...row })}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let row = unit / ${quads(dim)}u;
  if (row >= ${rows}u) { return; }
  let place = places[row];
  if (place >= ${lines}u) { return; }
  let i = unit % ${quads(dim)}u;
  table_put(place, i, x_at(row, i));
}`;
  return {
    ...identity,
    label: `place_rows f32[${rows},${dim}] in ${lines}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    // Of the table the lines that are written.
    cost: { bytes: 2 * byteLength(bindings.x) + byteLength(bindings.places) },
  };
}
