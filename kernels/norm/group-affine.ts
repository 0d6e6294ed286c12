import { assert, type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { normScaleLib } from '../lib/norm-scale.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { groupChunks } from './group-moments.ts';

export interface GroupAffineParams {
  readonly images: number;
  /** A multiple of `groups`. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Groups of neighbouring channels. Default 32. */
  readonly groups?: number | undefined;
  /** Added to the variance before the root. Default 1e-6. */
  readonly eps?: number | undefined;
}

export type GroupAffineBindings = {
  readonly moments: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;

/**
 * What a GroupNorm does to each channel: out[n, c] = (mean, scale, bias, 0), so that (x - mean) * scale
 * + bias is (x - mean) / sqrt(variance + eps) * weight[c] + bias[c]. Kernels that read x apply it at
 * once. The mean is apart because x * scale would lose it where the variance is small. A variance that
 * overflows f32 gives a scale of NaN, not zero.
 *
 * Shapes: moments [images, groups, chunks, 2] of `groupMoments`, weight and bias [channels], out f32
 * [images, channels, 4]. Chunks are combined in order.
 * Source: Wu and He 2018 (arXiv:1803.08494); LlamaGen tokenizer/tokenizer_image/vq_model.py, Normalize.
 */
export function groupAffine(params: GroupAffineParams): Kernel<GroupAffineBindings> {
  const identity = assertParams('group_affine', params, {
    ...MAP_RULES,
    groups: rule.optional(rule.size),
    eps: rule.optional(rule.eps),
  });
  const { images, channels, height, width, groups = 32, eps = 1e-6 } = params;
  assert(
    channels % groups === 0,
    `group_affine: "channels" expected a multiple of ${groups} groups, got ${channels}`,
  );
  const groupChannels = channels / groups;
  const count = groupChannels * height * width;
  const { chunk, chunks } = groupChunks(count);
  const bindings: GroupAffineBindings = {
    moments: { role: 'in', dtype: 'f32', shape: [images, groups, chunks, 2], element: 'vec2f' },
    weight: { role: 'in', dtype: 'f32', shape: [channels] },
    bias: { role: 'in', dtype: 'f32', shape: [channels] },
    out: { role: 'out', dtype: 'f32', shape: [images, channels, 4], element: 'vec4f' },
  };
  assertIndexable('group_affine', bindings);
  const units = images * channels;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const code = wgsl`
${declare(bindings)}
const COUNT = ${count}u;
const EPS = f32(${eps});
${normScaleLib}

fn values_of(chunk: u32) -> f32 { return f32(min(${chunk}u, COUNT - chunk * ${chunk}u)); }

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${units}u) { return; }
  let c = unit % ${channels}u;
  let first = (unit / ${groupChannels}u) * ${chunks}u;
  // Means differ little from the first, so that their sum loses nothing.
  let origin = moments[first].x;
  var sum = 0.0;
  for (var i = 0u; i < ${chunks}u; i++) {
    sum += (moments[first + i].x - origin) * values_of(i);
  }
  let mean = origin + sum / f32(COUNT);
  var squares = 0.0;
  for (var i = 0u; i < ${chunks}u; i++) {
    let m = moments[first + i];
    let d = m.x - mean;
    squares += m.y + d * d * values_of(i);
  }
  let scale = scale_or_nan(inverseSqrt(squares / f32(COUNT) + EPS)) * weight[c];
  out[unit] = vec4f(mean, scale, bias[c], 0.0);
}`;
  return {
    ...identity,
    label: `group_affine f32[${images},${channels}] of ${chunks} chunks`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
