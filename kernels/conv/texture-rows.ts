import { assert, type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl-if.ts';

export interface TextureRowsParams {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  /** Words from one row to the next, at least `width`. Copies into textures want a multiple of 64. */
  readonly stride: number;
  /** Blue in the lowest byte, as textures of the formats `bgra8unorm` have it. Default red. */
  readonly blueFirst?: boolean | undefined;
}

export type TextureRowsBindings = {
  readonly rgba: Binding<'in'>;
  readonly rows: Binding<'out'>;
  readonly flaws: Binding<'inout'>;
};

/** First member of `flaws` of an image without any, as it must be before. */
export const NO_FLAW: number = 2 ** 32 - 1;

const SIZE = 64;

/**
 * Pixels as `copyBufferToTexture` takes them: the rows of an image, each followed by what makes it `stride`
 * words long, which is 0. Counts the pixels that are 0, which `toRgba` writes in place of what is not finite,
 * so that nobody has to read the pixels back to know.
 *
 * Shapes: rgba u32 [images, height, width], rows u32 [images, height, stride]; flaws u32 [images, 2]: the
 * index of the first such pixel of an image, of any the least, and how many there are added to what was
 * there. One invocation per word of `rows`.
 * Source: WebGPU, `GPUTexelCopyBufferLayout.bytesPerRow`, a multiple of 256.
 */
export function textureRows(params: TextureRowsParams): Kernel<TextureRowsBindings> {
  const identity = assertParams('texture_rows', params, {
    images: rule.size,
    height: rule.size,
    width: rule.size,
    stride: rule.size,
    blueFirst: rule.optional(rule.flag),
  });
  const { images, height, width, stride, blueFirst = false } = params;
  assert(
    stride >= width,
    `texture_rows: "stride" expected at least the width, ${width}, got ${stride}`,
  );
  const words = images * height * stride;
  const bindings: TextureRowsBindings = {
    rgba: { role: 'in', dtype: 'u32', shape: [images, height, width] },
    rows: { role: 'out', dtype: 'u32', shape: [images, height, stride] },
    flaws: { role: 'inout', dtype: 'u32', shape: [images, 2], element: 'atomic<u32>' },
  };
  assertIndexable('texture_rows', bindings);
  const [gx, gy] = grid(ceilDiv(words, SIZE));
  const code = wgsl`
${declare(bindings)}
@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${words}u) { return; }
  let row = unit / ${stride}u;
  let column = unit % ${stride}u;
  if (column >= ${width}u) {
    rows[unit] = 0u;
    return;
  }
  let at = row * ${width}u + column;
  let pixel = rgba[at];
#if ${blueFirst}
  rows[unit] = (pixel & 0xff00ff00u) | ((pixel & 0xffu) << 16u) | ((pixel >> 16u) & 0xffu);
#else
  rows[unit] = pixel;
#endif
  if (pixel == 0u) {
    let image = at / ${height * width}u;
    atomicMin(&flaws[2u * image], at % ${height * width}u);
    atomicAdd(&flaws[2u * image + 1u], 1u);
  }
}`;
  return {
    ...identity,
    label: `texture_rows u32[${images},${height},${stride}]${blueFirst ? ' bgra' : ''}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}
