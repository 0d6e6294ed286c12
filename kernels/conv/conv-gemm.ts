/**
 * A convolution as a product of maps: rows are output channels, columns are output pixels, and k runs
 * over input channels and, within them, over taps, as the filters lie in memory. What a tap meets
 * outside the image is zero, after the norm. Source: Chetlur et al. 2014 (arXiv:1410.0759).
 */

import { PORTABLE, type Variant } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertTile } from '../lib/params.ts';
import type { Loop } from '../product/map-product.ts';
import { MAP_SETTINGS, type MapTile, mapTile, ownMapTile } from '../product/map-tile.ts';
import { tiledLoop } from '../product/tiled-product.ts';
import { type ConvParams, convSizes, normedLib } from './conv-shape.ts';

export interface Conv2dParams extends ConvParams {
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice, of kernels with barriers. */
  readonly tile?: Partial<MapTile> | undefined;
}

/**
 * The loop; `store(batch, m, n, sum)` must be there, batches as in `tiledLoop`.
 * @param name The kernel, for errors.
 */
export function convGemm(name: string, params: Conv2dParams, split = 1): Loop {
  const { images, inChannels, outChannels, height, width, kernelSize } = params;
  const { upsample = false, stride = 1, norm, dtype = 'f32', variant = PORTABLE } = params;
  assertTile(name, params.tile, MAP_SETTINGS);
  const { outHeight, outWidth, pad } = convSizes(params);
  const taps = kernelSize ** 2;
  const k = inChannels * taps;
  const plane = height * width;
  // Position in the input, doubled if upsampled, of a tap; then in the input itself.
  const tapped = (at: string, tap: string): string =>
    `i32(${at})${stride === 2 ? ' * 2' : ''} + i32(${tap}) - ${pad}`;
  const half = upsample ? ' >> 1u' : '';
  const [rows, columns] = upsample ? [2 * height, 2 * width] : [height, width];
  const value = (at: string): string =>
    norm ? `normed(x[${at}], affine[batch * ${inChannels}u + c])` : `x[${at}]`;
  const readers = `
${valueReader('weight', dtype)}
${normedLib(norm)}
fn left_at(batch: u32, k: u32, m: u32) -> f32 { return weight_at(m * ${k}u + k); }
${
  kernelSize === 1
    ? `fn right_at(batch: u32, k: u32, n: u32) -> f32 {
  let c = k;
  return ${value(`(batch * ${inChannels}u + c) * ${plane}u + n`)};
}`
    : `fn right_at(batch: u32, k: u32, n: u32) -> f32 {
  let c = k / ${taps}u;
  let tap = k % ${taps}u;
  let y = ${tapped(`n / ${outWidth}u`, `tap / ${kernelSize}u`)};
  let column = ${tapped(`n % ${outWidth}u`, `tap % ${kernelSize}u`)};
  let inside = y >= 0 && y < ${rows} && column >= 0 && column < ${columns};
  let from_y = u32(clamp(y, 0, ${rows - 1})${half});
  let from_x = u32(clamp(column, 0, ${columns - 1})${half});
  let at = (batch * ${inChannels}u + c) * ${plane}u + from_y * ${width}u + from_x;
  return select(0.0, ${value('at')}, inside);
}`
}`;
  return tiledLoop(
    {
      ...{ name, batch: images, m: outChannels, n: outHeight * outWidth, k, split },
      // Filters lie along k, pixels along n.
      left: { k: 1 },
      right: { k: plane },
    },
    readers,
    mapTile(ownMapTile(variant), params.tile),
    variant,
  );
}
