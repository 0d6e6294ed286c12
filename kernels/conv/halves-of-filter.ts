import { assert, type Binding, ceilDiv, declare, grid, type Kernel, range } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl-if.ts';

export interface HalvesOfFilterParams {
  /** A multiple of 8. */
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: 1 | 3;
  /** Filters of a doubled map, for `convHalves` with `upsample`. Default false. */
  readonly upsample?: boolean | undefined;
  /** Storage of the weights. Default f32. */
  readonly dtype?: 'f32' | 'f16' | undefined;
}

export type HalvesOfFilterBindings = {
  readonly weight: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;
/** Values that one invocation makes: the halves of a vec4u. */
const EACH = 8;

/**
 * Filters as `convHalves` reads them: halves, the input channels of a tap next to each other. Of a doubled map
 * an even row meets two rows, the first with the upper taps, the second with those of the middle and below
 * together; an odd row meets the first with those above and of the middle together.
 *
 * Shapes: weight [outChannels, inChannels, k, k], out f16 [outChannels, k * k, inChannels], or with `upsample`
 * [2, outChannels, 6, inChannels]: filters for even rows, then for odd ones. Sums of taps in f32.
 */
export function halvesOfFilter(params: HalvesOfFilterParams): Kernel<HalvesOfFilterBindings> {
  const identity = assertParams('halves_of_filter', params, {
    ...{ inChannels: rule.size, outChannels: rule.size, kernelSize: rule.kernelSize },
    ...{ upsample: rule.optional(rule.flag), dtype: rule.optional(rule.floatDtype) },
  });
  const { inChannels, outChannels, kernelSize: k, upsample = false, dtype = 'f32' } = params;
  assert(!upsample || k === 3, 'halves_of_filter: "upsample" expected a 3x3 filter');
  assert(
    inChannels % EACH === 0,
    `halves_of_filter: "inChannels" expected a multiple of ${EACH}, got ${inChannels}`,
  );
  const taps = k * k;
  const made = upsample ? 2 * k : taps;
  const turns = upsample ? 2 : 1;
  const shape = [...(upsample ? [turns] : []), outChannels, made, inChannels];
  const bindings: HalvesOfFilterBindings = {
    weight: { role: 'in', dtype, shape: [outChannels, inChannels, k, k] },
    out: { role: 'out', dtype: 'f16', shape, element: 'vec4u' },
  };
  assertIndexable('halves_of_filter', bindings);
  const eights = inChannels / EACH;
  const units = turns * outChannels * made * eights;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const at = (c: number): string => `value_at(start + ${c * taps}u${upsample ? ', both' : ''})`;
  const code = wgsl`
${declare(bindings)}
${valueReader('weight', dtype)}
#if ${upsample}
// A tap, or the sum of it and the one below.
fn value_at(place: u32, both: bool) -> f32 {
  let value = weight_at(place);
  if (!both) { return value; }
  return value + weight_at(place + ${k}u);
}
#else
fn value_at(place: u32) -> f32 { return weight_at(place); }
#endif

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${units}u) { return; }
  let eight = unit % ${eights}u;
#if ${upsample}
  let place = (unit / ${eights}u) % ${made}u;
  let filter_ = unit / ${eights * made}u % ${outChannels}u;
  let odd = unit / ${eights * made * outChannels}u;
  // Even rows: above alone, then the others. Odd rows: below alone, after the others.
  let both = place / ${k}u != odd;
  let tap = (place / ${k}u + place / ${k}u * odd) * ${k}u + place % ${k}u;
#else
  let tap = (unit / ${eights}u) % ${taps}u;
  let filter_ = unit / ${eights * taps}u;
#endif
  let start = (filter_ * ${inChannels}u + eight * ${EACH}u) * ${taps}u + tap;
  out[unit] = vec4u(${range(EACH / 2)
    .map((i) => `pack2x16float(vec2f(${at(2 * i)}, ${at(2 * i + 1)}))`)
    .join(', ')});
}`;
  return {
    ...identity,
    label: `halves_of_filter ${k}x${k}${upsample ? ' upsample' : ''} ${dtype}[${outChannels},${inChannels}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
