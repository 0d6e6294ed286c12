import { type Binding, ceilDiv, declareSized, grid, type Kernel, range } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import {
  filterLine,
  ofSquare,
  productPlace,
  squareLines,
  WINOGRAD_PRODUCTS,
  WINOGRAD_SIDE,
} from './winograd.ts';

export interface WinogradFilterParams {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Storage of the weights. Default f32. */
  readonly dtype?: 'f32' | 'f16' | undefined;
}

export type WinogradFilterBindings = {
  readonly weight: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** Software adapters run one workgroup per thread. */
const SIZE = 64;

/**
 * Filters for Winograd's F(4x4, 3x3): out[6 i + j, c, o] = (G weight[o, c] G^T)[i, j].
 *
 * Shapes: weight [outChannels, inChannels, 3, 3], out f32 [36, inChannels, outChannels].
 * Source: conv/winograd.ts.
 */
export function winogradFilter(params: WinogradFilterParams): Kernel<WinogradFilterBindings> {
  const identity = assertParams('winograd_filter', params, {
    inChannels: rule.size,
    outChannels: rule.size,
    dtype: rule.optional(rule.floatDtype),
  });
  const { inChannels, outChannels, dtype = 'f32' } = params;
  const bindings: WinogradFilterBindings = {
    weight: { role: 'in', dtype, shape: [outChannels, inChannels, 3, 3] },
    out: { role: 'out', dtype: 'f32', shape: [WINOGRAD_PRODUCTS, inChannels, outChannels] },
  };
  assertIndexable('winograd_filter', bindings);
  const units = inChannels * outChannels;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const sizes = { inChannels, outChannels, units, across: gx };
  const code = wgsl`
${declareSized(bindings, sizes, {
  weight: 'outChannels, inChannels, 3, 3',
  out: `${WINOGRAD_PRODUCTS}, inChannels, outChannels`,
})}
${valueReader('weight', dtype)}
${filterLine.code}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let unit = (group.y * s.across + group.x) * ${SIZE}u + lane;
  if (unit >= s.units) { return; }
  let o = unit % s.outChannels;
  let c = unit / s.outChannels;
  let at = (o * s.inChannels + c) * 9u;
  ${range(9)
    .map((t) => `let w${Math.floor(t / 3)}_${t % 3} = weight_at(at + ${t}u);`)
    .join('\n  ')}
  ${squareLines(filterLine, (r, c) => `w${r}_${c}`)}
  ${range(WINOGRAD_PRODUCTS)
    .map((i) => {
      const value = ofSquare(filterLine, Math.floor(i / WINOGRAD_SIDE), i % WINOGRAD_SIDE);
      return `out[${productPlace(i)}] = ${value};`;
    })
    .join('\n  ')}
}`;
  return {
    ...identity,
    label: `winograd_filter ${dtype}[${outChannels},${inChannels},3,3]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    sizes,
  };
}
