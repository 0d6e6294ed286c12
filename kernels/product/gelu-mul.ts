import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { geluLib } from '../lib/gelu.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface GeluMulParams {
  readonly rows: number;
  readonly hiddenDim: number;
}

export type GeluMulBindings = {
  readonly gate: Binding<'in'>;
  readonly up: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * The elementwise middle of a gated feed-forward layer: out = gelu(gate) * up, in the tanh form.
 *
 * Shapes: gate, up and out [rows, hiddenDim] f32.
 * Source: Shazeer 2020 (arXiv:2002.05202), GEGLU; T5 v1.1, DenseGatedActDense.
 */
export function geluMul(params: GeluMulParams): Kernel<GeluMulBindings> {
  const identity = assertParams('gelu_mul', params, { rows: 'size', hiddenDim: 'size' });
  const { rows, hiddenDim } = params;
  const row = { dtype: 'f32', length: hiddenDim } as const;
  const bindings: GeluMulBindings = {
    gate: rowBinding('in', [rows, hiddenDim]),
    up: rowBinding('in', [rows, hiddenDim]),
    out: rowBinding('out', [rows, hiddenDim]),
  };
  assertIndexable('gelu_mul', bindings);
  const size = 64;
  const [gx, gy] = grid(ceilDiv(rows * quads(hiddenDim), size));
  const code = wgsl`
${declare(bindings)}
${rowReader({ name: 'gate', ...row })}
${rowReader({ name: 'up', ...row })}
${rowWriter({ name: 'out', ...row })}
${geluLib}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let row = unit / ${quads(hiddenDim)}u;
  if (row >= ${rows}u) { return; }
  let i = unit % ${quads(hiddenDim)}u;
  out_put(row, i, gelu(gate_at(row, i)) * up_at(row, i));
}`;
  return {
    ...identity,
    label: `gelu_mul f32[${rows},${hiddenDim}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
