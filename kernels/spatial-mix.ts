import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { assertSizes, type Binding, ceilDiv, declare, grid, type Kernel, range } from './kernel.ts';
import { assertIndexable } from './lib/indexable.ts';

export interface SpatialMixParams {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export type SpatialMixBindings = {
  readonly v: Binding<'in'>;
  readonly probs: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** Channels and pixels of one invocation's tile. */
const TILE = 4;
const SIZE = 64;

/**
 * Every pixel as a mixture of all pixels: out[n, c, i] = sum_j v[n, c, j] * probs[n * P + i, j], with
 * P = height * width pixels.
 *
 * Shapes: v and out [images, channels, height, width], probs [images * P, P]. Sums in f32.
 * One invocation makes a 4x4 tile, without barriers.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, AttnBlock.
 */
export function spatialMix(params: SpatialMixParams): Kernel<SpatialMixBindings> {
  const { images, channels, height, width } = params;
  assertSizes('spatial_mix', { images, channels, height, width });
  const pixels = height * width;
  const shape = [images, channels, height, width];
  const bindings: SpatialMixBindings = {
    v: { role: 'in', dtype: 'f32', shape },
    probs: { role: 'in', dtype: 'f32', shape: [images * pixels, pixels] },
    out: { role: 'out', dtype: 'f32', shape },
  };
  assertIndexable('spatial_mix', bindings);
  const tilesI = ceilDiv(pixels, TILE);
  const tilesC = ceilDiv(channels, TILE);
  const units = images * tilesC * tilesI;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const code = wgsl`
${declare(bindings)}
const PIXELS = ${pixels}u;
const CHANNELS = ${channels}u;

fn store(channel: u32, i: u32, image: u32, mixed: vec4f) {
  if (channel >= CHANNELS) { return; }
  let at = (image * CHANNELS + channel) * PIXELS + i;
  for (var t = 0u; t < min(${TILE}u, PIXELS - i); t++) { out[at + t] = mixed[t]; }
}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${units}u) { return; }
  let i = (unit % ${tilesI}u) * ${TILE}u;
  let channel = ((unit / ${tilesI}u) % ${tilesC}u) * ${TILE}u;
  let image = unit / ${tilesI * tilesC}u;
  ${range(TILE)
    .map((t) => `let row${t} = (image * PIXELS + min(i + ${t}u, PIXELS - 1u)) * PIXELS;`)
    .join('\n  ')}
  ${range(TILE)
    .map(
      (t) => `let plane${t} = (image * CHANNELS + min(channel + ${t}u, CHANNELS - 1u)) * PIXELS;`,
    )
    .join('\n  ')}
  ${range(TILE)
    .map((t) => `var sum${t} = vec4f();`)
    .join(' ')}
  for (var j = 0u; j < PIXELS; j++) {
    let shares = vec4f(${range(TILE).map((t) => `probs[row${t} + j]`)});
    ${range(TILE)
      .map((t) => `sum${t} += v[plane${t} + j] * shares;`)
      .join(' ')}
  }
  ${range(TILE)
    .map((t) => `store(channel + ${t}u, i, image, sum${t});`)
    .join(' ')}
}`;
  return {
    label: `spatial_mix f32[${shape}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
