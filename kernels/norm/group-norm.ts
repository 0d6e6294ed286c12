import {
  assert,
  type Binding,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { normScaleLib } from '../lib/norm-scale.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins, reducer } from '../lib/reduce.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl-if.ts';

export interface GroupNormParams {
  readonly images: number;
  /** A multiple of `groups`. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Groups of neighbouring channels. Default 32. */
  readonly groups?: number | undefined;
  /** Added to the variance before the root. Default 1e-6. */
  readonly eps?: number | undefined;
  /** Apply swish, v * sigmoid(v), to the result. Default false. */
  readonly swish?: boolean | undefined;
  readonly variant?: Variant | undefined;
}

export type GroupNormBindings = {
  readonly x: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** Software adapters run one workgroup per thread and four invocations at once. */
const SERIAL_SIZE = 4;
const SHARED_SIZE = 256;
/** Terms that one sum adds before it is added to the sum of sums: groups have up to 262144 values. */
const SPAN = 256;

/**
 * GroupNorm: out = (x - mean) / sqrt(variance + eps) * weight[c] + bias[c], with mean and population
 * variance over the channels and pixels of a group; optionally out * sigmoid(out). A group whose squares
 * overflow f32 is NaN, not bias.
 *
 * Shapes: x and out [images, channels, height, width], weight and bias [channels].
 * The variance is that of the differences from the mean, in f32, as sums of partial sums.
 * One workgroup per image and group; serially, one invocation.
 * Source: Wu and He 2018 (arXiv:1803.08494); LlamaGen tokenizer/tokenizer_image/vq_model.py,
 * Normalize and nonlinearity.
 */
export function groupNorm(params: GroupNormParams): Kernel<GroupNormBindings> {
  const identity = assertParams('group_norm', params, {
    ...MAP_RULES,
    groups: rule.optional(rule.size),
    eps: rule.optional(rule.eps),
    swish: rule.optional(rule.flag),
    variant: rule.optional(rule.variant),
  });
  const { images, channels, height, width, groups = 32, eps = 1e-6 } = params;
  const { swish = false, variant = PORTABLE } = params;
  assert(
    channels % groups === 0,
    `group_norm: "channels" expected a multiple of ${groups} groups, got ${channels}`,
  );
  const wide = (height * width) % 4 === 0;
  const value = wide ? 'vec4f' : 'f32';
  const shape = [images, channels, height, width];
  const bindings: GroupNormBindings = {
    x: { role: 'in', dtype: 'f32', shape, element: value },
    weight: { role: 'in', dtype: 'f32', shape: [channels] },
    bias: { role: 'in', dtype: 'f32', shape: [channels] },
    out: { role: 'out', dtype: 'f32', shape, element: value },
  };
  assertIndexable('group_norm', bindings);
  const plane = (height * width) / (wide ? 4 : 1);
  const groupChannels = channels / groups;
  const { reduce } = variant;
  const serial = reduce === 'serial';
  const size = serial ? SERIAL_SIZE : SHARED_SIZE;
  const step = serial ? 1 : size;
  const [gx, gy] = grid(ceilDiv(images * groups, serial ? size : 1));
  const features: GPUFeatureName[] = reduce === 'subgroup' ? ['subgroups'] : [];
  const total = serial
    ? undefined
    : reducer({ name: 'total', type: 'f32', op: 'sum', size, reduce });
  const mean = (sum: string): string =>
    `${total ? total.call(sum) : sum} / f32(${groupChannels * height * width})`;
  // The sum of a term, an expression of v, over an invocation's share of the group.
  const sumLib = (name: string, term: string, params = ''): string => `
fn ${name}(start: u32, first: u32${params}) -> f32 {
  var sum = 0.0;
  for (var span = first; span < COUNT; span += ${SPAN * step}u) {
    var part = ${value}();
    let end = min(span + ${SPAN * step}u, COUNT);
    for (var i = span; i < end; i += ${step}u) {
      let v = x[start + i];
      part += ${term};
    }
    sum += ${wide ? 'dot(part, vec4f(1.0))' : 'part'};
  }
  return sum;
}`;
  const code = wgsl`${enable(features)}
${declare(bindings)}
const COUNT = ${groupChannels * plane}u; // of a group, in elements of x
const PLANE = ${plane}u; // of a channel, in elements of x
const EPS = f32(${eps});
${normScaleLib}
${total?.code ?? ''}
${sumLib('sum_of_values', 'v')}
${sumLib('sum_of_squares', '(v - mean) * (v - mean)', ', mean: f32')}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
#if ${serial}
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let first = 0u;
#else
  let unit = group.y * ${gx}u + group.x;
  let first = lane;
#endif
  if (unit >= ${images * groups}u) { return; }
  let start = unit * COUNT;
  let channel = (unit % ${groups}u) * ${groupChannels}u;
  let mean = ${mean('sum_of_values(start, first)')};
  let scale = scale_or_nan(inverseSqrt(${mean('sum_of_squares(start, first, mean)')} + EPS));
  for (var i = first; i < COUNT; i += ${step}u) {
    let c = channel + i / PLANE;
    let v = (x[start + i] - mean) * scale * weight[c] + bias[c];
    out[start + i] = ${swish ? 'v / (1.0 + exp(-v))' : 'v'};
  }
}`;
  return {
    ...identity,
    label: `group_norm${swish ? ' swish' : ''} f32[${shape}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features,
    // Sum, difference, square, sum; then difference, two products, sum.
    cost: { operations: 8 * images * channels * height * width },
  };
}
