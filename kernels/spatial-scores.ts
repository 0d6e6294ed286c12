import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { assertSizes, type Binding, ceilDiv, declare, grid, type Kernel, range } from './kernel.ts';
import { assertIndexable } from './lib/indexable.ts';

export interface SpatialScoresParams {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export type SpatialScoresBindings = {
  readonly q: Binding<'in'>;
  readonly k: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** Queries and keys of one invocation's tile. */
const TILE = 4;
const SIZE = 64;

/**
 * Scores of every pixel against every pixel: out[n * P + i, j] = sum_c q[n, c, i] * k[n, c, j] / sqrt(C),
 * with P = height * width pixels and C channels.
 *
 * Shapes: q and k [images, channels, height, width], out [images * P, P]. Sums in f32.
 * One invocation makes a 4x4 tile, without barriers.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, AttnBlock.
 */
export function spatialScores(params: SpatialScoresParams): Kernel<SpatialScoresBindings> {
  const { images, channels, height, width } = params;
  assertSizes('spatial_scores', { images, channels, height, width });
  const pixels = height * width;
  const shape = [images, channels, height, width];
  const bindings: SpatialScoresBindings = {
    q: { role: 'in', dtype: 'f32', shape },
    k: { role: 'in', dtype: 'f32', shape },
    out: { role: 'out', dtype: 'f32', shape: [images * pixels, pixels] },
  };
  assertIndexable('spatial_scores', bindings);
  const tiles = ceilDiv(pixels, TILE);
  const units = images * tiles * tiles;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const clamped = (name: string): string =>
    range(TILE)
      .map((t) => `let ${name}${t} = min(${name} + ${t}u, PIXELS - 1u);`)
      .join(' ');
  const code = wgsl`
${declare(bindings)}
const PIXELS = ${pixels}u;
const CHANNELS = ${channels}u;
const SCALE = f32(${1 / Math.sqrt(channels)});

fn store(i: u32, j: u32, image: u32, v: vec4f) {
  if (i >= PIXELS) { return; }
  let at = (image * PIXELS + i) * PIXELS + j;
  for (var t = 0u; t < min(${TILE}u, PIXELS - j); t++) { out[at + t] = v[t] * SCALE; }
}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${units}u) { return; }
  let j = (unit % ${tiles}u) * ${TILE}u;
  let i = ((unit / ${tiles}u) % ${tiles}u) * ${TILE}u;
  let image = unit / ${tiles * tiles}u;
  ${clamped('i')}
  ${clamped('j')}
  ${range(TILE)
    .map((t) => `var sum${t} = vec4f();`)
    .join(' ')}
  var plane = image * CHANNELS * PIXELS;
  for (var c = 0u; c < CHANNELS; c++) {
    let keys = vec4f(${range(TILE).map((t) => `k[plane + j${t}]`)});
    ${range(TILE)
      .map((t) => `sum${t} += q[plane + i${t}] * keys;`)
      .join(' ')}
    plane += PIXELS;
  }
  ${range(TILE)
    .map((t) => `store(i + ${t}u, j, image, sum${t});`)
    .join(' ')}
}`;
  return {
    label: `spatial_scores f32[${shape}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
