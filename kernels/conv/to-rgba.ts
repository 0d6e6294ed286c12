import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { finiteFourLib, finiteLib } from '../lib/finite.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface ToRgbaParams {
  readonly images: number;
  readonly height: number;
  readonly width: number;
}

export type ToRgbaBindings = {
  readonly image: Binding<'in'>;
  readonly rgba: Binding<'out'>;
};

const SIZE = 64;

/**
 * Image values, nominally -1 .. 1, to bytes: floor(clamp(127.5 * v + 128, 0, 255)), alpha 255. A pixel
 * with a value that is not finite is 0, which with its alpha of 0 no other pixel is.
 *
 * Shapes: image f32 [images, 3, height, width], rgba u32 [images, height, width] with red in the
 * lowest byte: the bytes in memory are R, G, B, A. One invocation per pixel.
 * Source: torchvision.utils.save_image, which LlamaGen autoregressive/sample/sample_c2i.py calls.
 */
export function toRgba(params: ToRgbaParams): Kernel<ToRgbaBindings> {
  const identity = assertParams('to_rgba', params, {
    images: rule.size,
    height: rule.size,
    width: rule.size,
  });
  const { images, height, width } = params;
  const pixels = height * width;
  const bindings: ToRgbaBindings = {
    image: { role: 'in', dtype: 'f32', shape: [images, 3, height, width] },
    rgba: { role: 'out', dtype: 'u32', shape: [images, height, width] },
  };
  assertIndexable('to_rgba', bindings);
  const [gx, gy] = grid(ceilDiv(images * pixels, SIZE));
  const code = wgsl`
${declare(bindings)}
${finiteLib}${finiteFourLib}
const PIXELS = ${pixels}u;

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${images * pixels}u) { return; }
  let at = (unit / PIXELS) * 3u * PIXELS + unit % PIXELS;
  let color = vec3f(image[at], image[at + PIXELS], image[at + 2u * PIXELS]);
  let bytes = vec3u(clamp(127.5 * color + 128.0, vec3f(0.0), vec3f(255.0)));
  let word = bytes.r | (bytes.g << 8u) | (bytes.b << 16u) | (255u << 24u);
  rgba[unit] = select(word, 0u, magnitude_of_any(vec4f(color, 0.0)) >= INFINITE);
}`;
  return {
    ...identity,
    label: `to_rgba f32[${images},3,${height},${width}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
