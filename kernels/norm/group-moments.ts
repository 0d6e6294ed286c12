import {
  assert,
  type Binding,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  PORTABLE,
  range,
  type Variant,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins, reducer } from '../lib/reduce.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl-if.ts';

export interface GroupMomentsParams {
  readonly images: number;
  /** A multiple of `groups`. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Groups of neighbouring channels. Default 32. */
  readonly groups?: number | undefined;
  readonly variant?: Variant | undefined;
}

export type GroupMomentsBindings = {
  readonly x: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** Invocations that share a chunk: as few as can keep its values in registers. */
const SHARED_SIZES = [64, 256] as const;
/** Values of an invocation, at most: of more, registers would be too many. */
const MOST_EACH = 40;
const SERIAL_SIZE = 4;
/** Values of a chunk, at least. */
const LEAST_CHUNK = 2048;
/** Chunks of a group, at most. */
const MAX_CHUNKS = 64;

/** How a group of `count` values is cut: chunks of `chunk` values, the last with what is left. */
export function groupChunks(count: number): { readonly chunk: number; readonly chunks: number } {
  const chunk = Math.max(LEAST_CHUNK, ceilDiv(count, MAX_CHUNKS));
  return { chunk, chunks: ceilDiv(count, chunk) };
}

const sharedSize = (chunk: number): number =>
  SHARED_SIZES.find((size) => ceilDiv(chunk, size) <= MOST_EACH) ?? Math.max(...SHARED_SIZES);

/**
 * Statements about every value v of an invocation. A chunk that is held in registers is read from memory
 * once: caches do not hold the chunks of all workgroups of a large map until they are read again.
 */
function eachValue({ size, chunk, held = false }: EachParams): Each {
  const count = ceilDiv(chunk, size);
  if (!held || count > MOST_EACH) {
    const of = (body: string): string =>
      `for (var i = first; i < values; i += ${size}u) { let v = x[start + i]; ${body} }`;
    return { held: '', of };
  }
  const place = (j: number): string => `first + ${j * size}u`;
  return {
    held: range(count)
      .map((j) => `let v${j} = x[start + min(${place(j)}, values - 1u)];`)
      .join('\n  '),
    of: (body) =>
      range(count)
        .map((j) => `if (${place(j)} < values) { ${body.replaceAll(/\bv\b/g, `v${j}`)} }`)
        .join('\n  '),
  };
}

interface EachParams {
  /** From one value of an invocation to the next. */
  readonly size: number;
  readonly chunk: number;
  /** In registers, if there are not too many. */
  readonly held?: boolean;
}

interface Each {
  /** Reads them, where they are held. */
  readonly held: string;
  readonly of: (body: string) => string;
}

/**
 * Moments of the chunks of every group: the mean of a chunk's values, and the sum of the squares of
 * their differences from it. `groupAffine` makes a GroupNorm of them. Several
 * workgroups for a group keep a GPU busy; chunks depend on the sizes alone.
 *
 * Shapes: x [images, channels, height, width], out f32 [images, groups, chunks, 2].
 * Source: Chan, Golub and LeVeque 1979, the pairwise update of variances.
 */
export function groupMoments(params: GroupMomentsParams): Kernel<GroupMomentsBindings> {
  const identity = assertParams('group_moments', params, {
    ...MAP_RULES,
    groups: rule.optional(rule.size),
    variant: rule.optional(rule.variant),
  });
  const { images, channels, height, width, groups = 32, variant = PORTABLE } = params;
  assert(
    channels % groups === 0,
    `group_moments: "channels" expected a multiple of ${groups} groups, got ${channels}`,
  );
  const count = (channels / groups) * height * width;
  const { chunk, chunks } = groupChunks(count);
  const shape = [images, channels, height, width];
  const bindings: GroupMomentsBindings = {
    x: { role: 'in', dtype: 'f32', shape },
    out: { role: 'out', dtype: 'f32', shape: [images, groups, chunks, 2], element: 'vec2f' },
  };
  assertIndexable('group_moments', bindings);
  const { reduce } = variant;
  const serial = reduce === 'serial';
  const size = serial ? SERIAL_SIZE : sharedSize(chunk);
  const units = images * groups * chunks;
  const [gx, gy] = grid(ceilDiv(units, serial ? size : 1));
  const total = serial
    ? undefined
    : reducer({ name: 'total', type: 'f32', op: 'sum', size, reduce });
  const summed = (value: string): string => (total ? total.call(value) : value);
  const each = eachValue(serial ? { size: 1, chunk } : { size, chunk, held: true });
  const code = wgsl`${enable(reduce === 'subgroup' ? ['subgroups'] : [])}
${declare(bindings)}
${total?.code ?? ''}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
#if ${serial}
  let unit = (group.y * ${gx}u + group.x) * ${size}u + lane;
  let first = 0u;
#else
  let unit = group.y * ${gx}u + group.x;
  let first = lane;
#endif
  if (unit >= ${units}u) { return; }
  let chunk = unit % ${chunks}u;
  let start = (unit / ${chunks}u) * ${count}u + chunk * ${chunk}u;
  let values = min(${chunk}u, ${count}u - chunk * ${chunk}u);
  // Values differ little from the first beside their mean, so that their sum loses less.
  let origin = x[start];
  ${each.held}
  var sum = 0.0;
  ${each.of('sum += v - origin;')}
  let mean = origin + ${summed('sum')} / f32(values);
  var squares = 0.0;
  ${each.of('squares += (v - mean) * (v - mean);')}
  squares = ${summed('squares')};
  ${serial ? '' : 'if (lane > 0u) { return; }'}
  out[unit] = vec2f(mean, squares);
}`;
  return {
    ...identity,
    label: `group_moments f32[${shape}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features: reduce === 'subgroup' ? ['subgroups'] : [],
    cost: { operations: 4 * images * channels * height * width },
  };
}
