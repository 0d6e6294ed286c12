import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { geluLib } from '../lib/gelu.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface GeluParams {
  readonly rows: number;
  readonly dim: number;
}

export type GeluBindings = { readonly x: Binding<'in'>; readonly out: Binding<'out'> };

/**
 * The elementwise middle of the projection of captions: out = gelu(x), in the tanh form.
 *
 * Shapes: x and out f32 [rows, dim].
 * Source: LlamaGen autoregressive/models/gpt.py, MLP.
 */
export function gelu(params: GeluParams): Kernel<GeluBindings> {
  const identity = assertParams('gelu', params, { rows: rule.size, dim: rule.size });
  const { rows, dim } = params;
  const row = { dtype: 'f32', length: dim } as const;
  const bindings: GeluBindings = {
    x: rowBinding('in', [rows, dim]),
    out: rowBinding('out', [rows, dim]),
  };
  assertIndexable('gelu', bindings);
  const size = 64;
  const [gx, gy] = grid(ceilDiv(rows * quads(dim), size));
  const code = wgsl`
${declare(bindings)}
${rowReader({ name: 'x', ...row })}
${rowWriter({ name: 'out', ...row })}
${geluLib}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let row = unit / ${quads(dim)}u;
  if (row >= ${rows}u) { return; }
  let i = unit % ${quads(dim)}u;
  out_put(row, i, gelu(x_at(row, i)));
}`;
  return {
    ...identity,
    label: `gelu f32[${rows},${dim}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
