/** The elementwise middle of gated feed-forward layers, for any activation. */
import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface GatedMulParams {
  readonly rows: number;
  readonly hiddenDim: number;
}

export type GatedMulBindings = {
  readonly gate: Binding<'in'>;
  readonly up: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** out = activation(gate) * up. @param activation A function of vec4f that `lib` defines. */
export function gatedMul(
  name: string,
  activation: string,
  lib: string,
  params: GatedMulParams,
): Kernel<GatedMulBindings> {
  const identity = assertParams(name, params, { rows: rule.size, hiddenDim: rule.size });
  const { rows, hiddenDim } = params;
  const row = { dtype: 'f32', length: hiddenDim } as const;
  const bindings: GatedMulBindings = {
    gate: rowBinding('in', [rows, hiddenDim]),
    up: rowBinding('in', [rows, hiddenDim]),
    out: rowBinding('out', [rows, hiddenDim]),
  };
  assertIndexable(name, bindings);
  const size = 64;
  const [gx, gy] = grid(ceilDiv(rows * quads(hiddenDim), size));
  const code = wgsl`
${declare(bindings)}
${rowReader({ name: 'gate', ...row })}
${rowReader({ name: 'up', ...row })}
${rowWriter({ name: 'out', ...row })}
${lib}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let row = unit / ${quads(hiddenDim)}u;
  if (row >= ${rows}u) { return; }
  let i = unit % ${quads(hiddenDim)}u;
  out_put(row, i, ${activation}(gate_at(row, i)) * up_at(row, i));
}`;
  return {
    ...identity,
    label: `${name} f32[${rows},${hiddenDim}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
