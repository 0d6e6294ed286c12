import { assert, type Binding, ceilDiv, declare, grid, type Kernel, range } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface HalvesOfFilterParams {
  /** A multiple of 8. */
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: 1 | 3;
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
 * Filters as `convHalves` reads them: halves, the input channels of a tap next to each other.
 *
 * Shapes: weight [outChannels, inChannels, k, k], out f16 [outChannels, k * k, inChannels].
 */
export function halvesOfFilter(params: HalvesOfFilterParams): Kernel<HalvesOfFilterBindings> {
  const identity = assertParams('halves_of_filter', params, {
    ...{ inChannels: 'size', outChannels: 'size', kernelSize: 'kernelSize', dtype: 'floatDtype?' },
  });
  const { inChannels, outChannels, kernelSize: k, dtype = 'f32' } = params;
  assert(
    inChannels % EACH === 0,
    `halves_of_filter: "inChannels" expected a multiple of ${EACH}, got ${inChannels}`,
  );
  const taps = k * k;
  const shape = [outChannels, taps, inChannels];
  const bindings: HalvesOfFilterBindings = {
    weight: { role: 'in', dtype, shape: [outChannels, inChannels, k, k] },
    out: { role: 'out', dtype: 'f16', shape, element: 'vec4u' },
  };
  assertIndexable('halves_of_filter', bindings);
  const eights = inChannels / EACH;
  const units = outChannels * taps * eights;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const at = (c: number): string => `weight_at(start + ${c * taps}u)`;
  const code = wgsl`
${declare(bindings)}
${valueReader('weight', dtype)}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${units}u) { return; }
  let eight = unit % ${eights}u;
  let tap = (unit / ${eights}u) % ${taps}u;
  let filter_ = unit / ${eights * taps}u;
  let start = (filter_ * ${inChannels}u + eight * ${EACH}u) * ${taps}u + tap;
  out[unit] = vec4u(${range(EACH / 2)
    .map((i) => `pack2x16float(vec2f(${at(2 * i)}, ${at(2 * i + 1)}))`)
    .join(', ')});
}`;
  return {
    ...identity,
    label: `halves_of_filter ${k}x${k} ${dtype}[${outChannels},${inChannels}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
