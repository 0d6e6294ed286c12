/** Convolutions of feature maps: directly, as products of maps or of halves, or by Winograd's method. */

import { convDirect } from '../../kernels/conv/conv-direct.ts';
import { convFew } from '../../kernels/conv/conv-few.ts';
import { convHalves, convHalvesParts } from '../../kernels/conv/conv-halves.ts';
import { type ConvParams, convSizes } from '../../kernels/conv/conv-shape.ts';
import { conv2d } from '../../kernels/conv/conv2d.ts';
import { type Conv2dPartsParams, conv2dParts } from '../../kernels/conv/conv2d-parts.ts';
import { halvesOfFilter } from '../../kernels/conv/halves-of-filter.ts';
import { halvesOfMap } from '../../kernels/conv/halves-of-map.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { WINOGRAD_PRODUCTS, WINOGRAD_TILE } from '../../kernels/conv/winograd.ts';
import { winogradFilter } from '../../kernels/conv/winograd-filter.ts';
import { winogradInput } from '../../kernels/conv/winograd-input.ts';
import { winogradOutput } from '../../kernels/conv/winograd-output.ts';
import {
  type WinogradProductParams,
  winogradProduct,
} from '../../kernels/conv/winograd-product.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type ConvLayer, type ConvTile, convProblem, convTile, convTiles } from './conv-tile.ts';
import { formOf, type Normed, outOf, sizesOf } from './normed.ts';
import type { Operation } from './operation.ts';

export interface ConvOpParams extends Omit<ConvLayer, 'tile'> {
  /** The weight is f16 of `halvesOfFilter`, and the method `halves`. Default: it is as stored. */
  readonly halvesOfWeight?: boolean | undefined;
}

interface ConvOpInputs {
  /** What is convolved: a map, or one through a norm. */
  readonly from: Tensor | Normed;
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Added to the result. */
  readonly residual?: Tensor | undefined;
}

type ConvInputs = Readonly<Record<'x' | 'weight' | 'bias', Tensor>> &
  Partial<Readonly<Record<'affine' | 'residual', Tensor>>>;

/** Most bytes of one intermediate of Winograd's method: parts of a layer that stay in caches. */
const BAND_BYTES = 8 * 2 ** 20;
/** Tiles in a part are a multiple of this. */
const BAND_STEP = 16;

export const conv: Operation<ConvOpParams, ConvOpInputs, ConvTile> = {
  key(params) {
    const { inChannels, outChannels, kernelSize, stride = 1 } = params;
    const { outHeight, outWidth } = convSizes(params);
    const pixels = outHeight * outWidth;
    return `conv ${kernelSize}x${kernelSize} ${stride}[${inChannels},${outChannels},${pixels}]`;
  },
  tiles: convTiles,
  problem: (params, tile) => otherMethod(params, tile) ?? convProblem(layerOf(params, tile)),
  call(g, asked, { from, weight, bias, residual }, asTile) {
    const chosen = convTile(layerOf(asked, asTile));
    if (chosen.method === 'halves') {
      return convOfHalves(g, asked, { from, weight, bias, residual }, chosen);
    }
    const { halvesOfWeight: _, variant, ...params } = asked;
    const { method, split, ...tile } = chosen;
    const winograd = method === 'winograd';
    const normed = 'made' in from ? from : undefined;
    // Without barriers a norm is cheaper once for each value than once for each read.
    const onRead = normed && variant.reduce !== 'serial' && !winograd;
    const input =
      normed && onRead
        ? { x: normed.x, affine: formOf(g, normed, 'affine', variant) }
        : { x: 'made' in from ? formOf(g, from, 'map', variant) : from };
    const inputs = { weight, bias, ...input, ...(residual && { residual }) };
    const full: ConvParams = {
      ...{ ...params, residual: residual !== undefined },
      ...(normed && onRead && { norm: normed.kind }),
    };
    if (winograd) return winogradConv(g, full, inputs, { variant, tile });
    if (method === 'direct') return outOf(g, convDirect(full), inputs);
    if (method === 'few') return outOf(g, convFew(full), inputs);
    if (split > 1) return convInParts(g, full, inputs, { split, variant, tile });
    return outOf(g, conv2d({ ...full, variant, tile }), inputs);
  },
};

/** What decides how it is made. */
function layerOf(
  { halvesOfWeight, ...params }: ConvOpParams,
  tile: Partial<ConvTile> = {},
): ConvLayer {
  if (!halvesOfWeight) return { ...params, tile };
  const { method = 'halves' } = tile;
  // The settings of another method mean something else.
  return { ...params, tile: { ...(method === 'halves' && tile), method: 'halves' } };
}

/** Says which method a layer cannot be made by, if its weight is halves only. */
const otherMethod = (
  { halvesOfWeight }: ConvOpParams,
  { method = 'halves' }: Partial<ConvTile>,
): string | undefined =>
  halvesOfWeight && method !== 'halves' ? `method ${method} is halves for this layer` : undefined;

/**
 * Whether the filters of a layer are loaded as `halvesOfFilter` makes them, for maps of any size: where
 * halves are the own choice, or forced. Where a table of tiles has them, filters become halves in each run.
 * @param forced Settings of all convolutions.
 */
export const loadsHalves = (params: ConvOpParams, forced: Partial<ConvTile> = {}): boolean =>
  convTile(layerOf(params, forced)).method === 'halves';

function convInParts(
  g: Graph,
  { residual: _, ...params }: ConvParams,
  { bias, residual, ...inputs }: ConvInputs,
  how: Pick<Conv2dPartsParams, 'split' | 'variant' | 'tile'>,
): Tensor {
  return summed(g, outOf(g, conv2dParts({ ...params, ...how }), inputs), { bias, residual });
}

/** Parts of sums, with bias and residual. */
function summed(
  g: Graph,
  parts: Tensor,
  { bias, residual }: Pick<ConvOpInputs, 'bias' | 'residual'>,
): Tensor {
  const [split = 1, images = 1, channels = 1, height = 1, width = 1] = parts.shape;
  const sizes = { parts: split, images, channels, height, width };
  const kernel = sumParts({ ...sizes, residual: residual !== undefined });
  return outOf(g, kernel, { x: parts, bias, ...(residual && { residual }) });
}

/** Map and filters become halves first, each value once; filters that are halves already do not. */
function convOfHalves(
  g: Graph,
  params: ConvOpParams,
  { from, weight, bias, residual }: ConvOpInputs,
  { method: _, split, ...tile }: ConvTile,
): Tensor {
  const { images, inChannels, outChannels, kernelSize, upsample = false, dtype, variant } = params;
  const { outHeight: height, outWidth: width } = convSizes(params);
  const border = kernelSize === 3;
  // A norm is folded in, but not with doubling, which no network has behind one.
  const map = upsample && 'made' in from ? formOf(g, from, 'map', variant) : from;
  const x =
    'made' in map
      ? formOf(g, map, border ? 'bordered halves' : 'halves', variant)
      : outOf(g, halvesOfMap({ ...sizesOf(map), border, upsample }), { x: map });
  const filters = halvesOfFilter({ inChannels, outChannels, kernelSize, upsample, dtype });
  const halves = { x, weight: params.halvesOfWeight ? weight : g.call(filters, { weight }).out };
  const sizes = { images, inChannels, outChannels, height, width, kernelSize, upsample };
  const all = { ...sizes, variant, tile };
  if (split > 1) {
    return summed(g, outOf(g, convHalvesParts({ ...all, split }), halves), { bias, residual });
  }
  const whole = convHalves({ ...all, residual: residual !== undefined });
  return outOf(g, whole, { ...halves, bias, ...(residual && { residual }) });
}

/** Winograd's method, a band of tiles after another, so that what lies between stays small. */
function winogradConv(
  g: Graph,
  params: ConvParams,
  { x, weight, bias, residual }: ConvInputs,
  how: Pick<WinogradProductParams, 'variant' | 'tile'>,
): Tensor {
  const { images, inChannels, outChannels, upsample = false, dtype = 'f32' } = params;
  const { height, width } = sizesOf(x);
  const scale = upsample ? 2 : 1;
  const out = { height: height * scale, width: width * scale };
  const filters = g.call(winogradFilter({ inChannels, outChannels, dtype }), { weight }).out;
  const tiles =
    images * Math.ceil(out.height / WINOGRAD_TILE) * Math.ceil(out.width / WINOGRAD_TILE);
  const perTile = 4 * WINOGRAD_PRODUCTS * Math.max(inChannels, outChannels);
  const count = Math.max(1, Math.floor(BAND_BYTES / perTile / BAND_STEP)) * BAND_STEP;
  let made: Tensor | undefined;
  for (let first = 0; first < tiles; first += count) {
    const part = { first, count: Math.min(count, tiles - first) };
    const input = winogradInput({ images, channels: inChannels, height, width, upsample, part });
    const product = winogradProduct({ inChannels, outChannels, tiles: part.count, ...how });
    const products = g.call(product, { weight: filters, x: g.call(input, { x }).out }).out;
    const output: Kernel = winogradOutput({
      ...{ images, channels: outChannels, ...out, part, residual: residual !== undefined },
    });
    const inputs = { x: products, bias, ...(residual && { residual }) };
    if (made) g.call(output, { ...inputs, out: made });
    else made = outOf(g, output, inputs);
  }
  if (!made) throw new RangeError('a convolution without tiles');
  return made;
}
