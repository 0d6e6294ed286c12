import {
  type Binding,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { quads, reduceFeatures, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { normScaleLib } from '../lib/norm-scale.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins, reducer } from '../lib/reduce.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface RmsNormParams {
  /** Vectors to normalise. */
  readonly rows: number;
  /** Length of each vector. */
  readonly dim: number;
  /** Added to the mean square before the root. Default 1e-5. */
  readonly eps?: number | undefined;
  readonly variant?: Variant | undefined;
}

export type RmsNormBindings = {
  readonly x: Binding<'in'>;
  readonly gain: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * RMSNorm over the last axis: out[r, i] = x[r, i] / sqrt(mean_i(x[r, i]^2) + eps) * gain[i]. A row whose
 * squares overflow f32 is NaN, not zero.
 *
 * Shapes: x and out [rows, dim], gain [dim], all f32. One workgroup (serial: one invocation) per row.
 * Source: Zhang and Sennrich 2019 (arXiv:1910.07467); LlamaGen autoregressive/models/gpt.py, RMSNorm.
 */
export function rmsNorm(params: RmsNormParams): Kernel<RmsNormBindings> {
  const identity = assertParams('rms_norm', params, {
    rows: rule.size,
    dim: rule.size,
    eps: rule.optional(rule.eps),
    variant: rule.optional(rule.variant),
  });
  const { rows, dim, eps = 1e-5, variant = PORTABLE } = params;
  const bindings: RmsNormBindings = {
    x: rowBinding('in', [rows, dim]),
    gain: rowBinding('in', [dim]),
    out: rowBinding('out', [rows, dim]),
  };
  assertIndexable('rms_norm', bindings);
  const row = { dtype: 'f32', length: dim } as const;
  const { reduce } = variant;
  const size = reduce === 'serial' ? 16 : 64;
  const sum =
    reduce === 'serial'
      ? undefined
      : reducer({ name: 'sum', type: 'f32', op: 'sum', size, reduce });
  const features = reduceFeatures(variant.reduce);
  const [gx, gy] = grid(sum ? rows : ceilDiv(rows, size));
  const start = sum ? 'lane' : '0u';
  const stride = sum ? size : 1;
  const code = wgsl`${enable(features)}
${declare(bindings)}
const EPS = f32(${eps});
${normScaleLib}
${rowReader({ name: 'x', ...row })}
${rowReader({ name: 'gain', ...row })}
${rowWriter({ name: 'out', ...row })}
${sum?.code ?? ''}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
  let row = (group.y * ${gx}u + group.x)${sum ? '' : ` * ${size}u + lane`};
  if (row >= ${rows}u) { return; }
  var square = 0.0;
  for (var i = ${start}; i < ${quads(dim)}u; i += ${stride}u) {
    let v = x_at(row, i);
    square += dot(v, v);
  }
  let scale = scale_or_nan(inverseSqrt(${sum ? sum.call('square') : 'square'} / f32(${dim}) + EPS));
  for (var i = ${start}; i < ${quads(dim)}u; i += ${stride}u) {
    out_put(row, i, x_at(row, i) * scale * gain_at(0u, i));
  }
}`;
  return {
    ...identity,
    label: `rms_norm f32[${rows},${dim}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features,
  };
}
