import {
  type Binding,
  type Bindings,
  ceilDiv,
  declare,
  grid,
  type Kernel,
  range,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface SumPartsParams {
  readonly parts: number;
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Add the binding `residual`, shaped like the output. Default false. */
  readonly residual?: boolean | undefined;
}

export type SumPartsBindings = {
  readonly x: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;

/**
 * The end of a convolution in parts: out[n, c, y, x] = x[0, n, c, y, x] + x[1, n, c, y, x] + .. +
 * bias[c] (+ residual[n, c, y, x]), in this order.
 *
 * Shapes: x [parts, images, channels, height, width] of `conv2dParts`, bias [channels], residual and
 * out [images, channels, height, width].
 */
export function sumParts(params: SumPartsParams): Kernel<SumPartsBindings> {
  const identity = assertParams('sum_parts', params, {
    ...MAP_RULES,
    parts: rule.parts,
    residual: rule.optional(rule.flag),
  });
  const { parts, images, channels, height, width, residual = false } = params;
  const shape = [images, channels, height, width];
  const plane = height * width;
  const count = images * channels * plane;
  const bindings: Bindings = {
    x: { role: 'in', dtype: 'f32', shape: [parts, ...shape] },
    bias: { role: 'in', dtype: 'f32', shape: [channels] },
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape } }),
    out: { role: 'out', dtype: 'f32', shape },
  };
  assertIndexable('sum_parts', bindings);
  const [gx, gy] = grid(ceilDiv(count, SIZE));
  const code = wgsl`
${declare(bindings)}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (i >= ${count}u) { return; }
  let sum = ${range(parts)
    .map((p) => `x[i + ${p * count}u]`)
    .join(' + ')};
  out[i] = sum + bias[(i / ${plane}u) % ${channels}u]${residual ? ' + residual[i]' : ''};
}`;
  return {
    ...identity,
    label: `sum_parts ${parts}${residual ? ' residual' : ''} f32[${shape}]`,
    code,
    bindings: bindings as SumPartsBindings,
    workgroups: [gx, gy, 1],
  };
}
