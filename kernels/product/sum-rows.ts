import { type Binding, ceilDiv, declare, grid, type Kernel, range } from '../kernel.ts';
import { rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface SumRowsParams {
  /** `split` of `linearParts`. */
  readonly parts: number;
  readonly rows: number;
  readonly dim: number;
}

export type SumRowsBindings = {
  readonly x: Binding<'in'>;
  readonly residual: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;

/**
 * The end of a product in parts: out[r, i] = x[0, r, i] + x[1, r, i] + .. + residual[r, i], in this
 * order, the same under every variant.
 *
 * Shapes: x f32 [parts, rows, dim] of `linearParts`, residual and out f32 [rows, dim].
 */
export function sumRows(params: SumRowsParams): Kernel<SumRowsBindings> {
  const identity = assertParams('sum_rows', params, {
    parts: rule.parts,
    rows: rule.size,
    dim: rule.size,
  });
  const { parts, rows, dim } = params;
  const bindings = {
    x: rowBinding('in', [parts, rows, dim]),
    residual: rowBinding('in', [rows, dim]),
    out: rowBinding('out', [rows, dim]),
  };
  assertIndexable('sum_rows', bindings);
  const quads = ceilDiv(dim, 4);
  const row = { dtype: 'f32', length: dim } as const;
  const [gx, gy] = grid(ceilDiv(rows * quads, SIZE));
  const code = wgsl`
${declare(bindings)}
${rowReader({ name: 'x', ...row })}
${rowReader({ name: 'residual', ...row })}
${rowWriter({ name: 'out', ...row })}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${rows * quads}u) { return; }
  let row = unit / ${quads}u;
  let i = unit % ${quads}u;
  let sum = ${range(parts)
    .map((p) => `x_at(${p * rows}u + row, i)`)
    .join(' + ')};
  out_put(row, i, sum + residual_at(row, i));
}`;
  const workgroups = [gx, gy, 1] as const;
  return {
    ...identity,
    label: `sum_rows ${parts} f32[${rows},${dim}]`,
    code,
    bindings,
    workgroups,
  };
}
