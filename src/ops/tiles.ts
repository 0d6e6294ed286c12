/** Tiles of operations as plain data: what was measured or forced, by family and shape. */
import type { AttentionShape } from '../../kernels/attention/attention-tile.ts';
import { type Conv2dParams, convSizes } from '../../kernels/conv/conv-shape.ts';
import type { ProductShape } from '../../kernels/product/product-tile.ts';

/** How an operation divides its work: changes speed and the order of sums, never what is computed. */
export type Tile = Readonly<Record<string, number | string | boolean>>;

/**
 * Tiles by `family shape` (measured by the tuner for one shape, such as `product f16[2304,768]`), or
 * by `family` (forced for all shapes, and stronger). The shape never holds the number of rows of a
 * product: what decides the order of a sum must not depend on it.
 */
export type Tiles = Readonly<Record<string, Tile>>;

/**
 * What a table says of a key `family shape`; the rest is the own choice. Kernels check the settings.
 */
export function tileOf<T extends object>(tiles: Tiles | undefined, key: string): Partial<T> {
  return { ...tiles?.[key], ...tiles?.[familyOf(key)] } as Partial<T>;
}

/** The part of a key before the shape. */
export const familyOf = (key: string): string => key.slice(0, key.indexOf(' '));

export const productKey = ({ inDim, outDim, dtype, weights = 1 }: ProductShape): string =>
  `product ${weights > 1 ? `${weights} x ` : ''}${dtype}[${outDim},${inDim}]`;

export const attentionKey = (shape: AttentionShape): string => {
  const { nHead, nKvHead, headDim, positions, kvDtype = 'f32' } = shape;
  return `attention ${kvDtype}[${nHead}/${nKvHead},${headDim},${positions}]`;
};

export const convKey = (params: Conv2dParams): string => {
  const { inChannels, outChannels, kernelSize, stride = 1 } = params;
  const { outHeight, outWidth } = convSizes(params);
  return `conv ${kernelSize}x${kernelSize} ${stride}[${inChannels},${outChannels},${outHeight * outWidth}]`;
};

/** Of a product of maps, m x k by k x n. */
export const mapKey = (m: number, k: number, n: number): string => `map [${m},${k},${n}]`;

const chosen = new WeakMap<GPUDevice, Tiles>();

/** Makes models that are loaded on a device later use tiles that were forced or measured. */
export function useTiles(device: GPUDevice, tiles: Tiles): void {
  chosen.set(device, tiles);
}

/** The tiles of models that are loaded on a device, unless a caller gives others. */
export const tilesOn = (device: GPUDevice): Tiles | undefined => chosen.get(device);
