/** Convolutions and norms of the VQ networks as graph calls, in the way that suits the adapter. */
import {
  type Conv2dParams,
  type ConvTile,
  conv2d,
  conv2dParts,
  convTile,
} from '../../kernels/conv/conv2d.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { WINOGRAD_PRODUCTS, WINOGRAD_TILE } from '../../kernels/conv/winograd.ts';
import { winogradFilter } from '../../kernels/conv/winograd-filter.ts';
import { winogradInput } from '../../kernels/conv/winograd-input.ts';
import { winogradOutput } from '../../kernels/conv/winograd-output.ts';
import { winogradProduct } from '../../kernels/conv/winograd-product.ts';
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { groupAffine } from '../../kernels/norm/group-affine.ts';
import { groupMoments } from '../../kernels/norm/group-moments.ts';
import { groupNorm } from '../../kernels/norm/group-norm.ts';
import type { MapTile } from '../../kernels/product/map-tile.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { convKey, mapKey, type Tiles, tileOf } from '../ops/tiles.ts';
import { VQ_GROUPS } from './vq-config.ts';

/** A graph under construction and how its kernels are made. */
export interface VqKernels {
  readonly g: Graph;
  readonly variant: Variant;
  readonly tiles?: Tiles | undefined;
  /** Storage of filters and codebook on the device; norms and biases stay f32. */
  readonly dtype: 'f32' | 'f16';
}

export interface ConvOptions {
  readonly outChannels: number;
  readonly kernelSize: 1 | 3;
  readonly upsample?: boolean;
  readonly stride?: 1 | 2;
  /** Added to the result. */
  readonly residual?: Tensor;
}

/** Most bytes of one intermediate of Winograd's method: parts of a layer that stay in caches. */
const BAND_BYTES = 8 * 2 ** 20;
/** Tiles in a part are a multiple of this. */
const BAND_STEP = 16;

/** A tensor's sizes under their names. */
export function sizesOf({ name, shape }: Tensor): {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
} {
  const [images, channels, height, width] = shape;
  if (!images || !channels || !height || !width || shape.length !== 4) {
    throw new RangeError(`"${name}" expected [images, channels, height, width], got [${shape}]`);
  }
  return { images, channels, height, width };
}

/** The state-dict name of a part; the root module has the empty name. */
export const join = (module: string, part: string): string => (module ? `${module}.${part}` : part);

/** GroupNorm of a map with the weights `name`.weight and `name`.bias, optionally with swish. */
export function norm(v: VqKernels, name: string, x: Tensor, swish: boolean): Tensor {
  const { g, variant } = v;
  const kernel = groupNorm({ ...sizesOf(x), swish, variant, groups: VQ_GROUPS });
  return g.call(kernel, { x, ...normWeights(v, name, x) }).out;
}

function normWeights({ g }: VqKernels, name: string, x: Tensor) {
  const { channels } = sizesOf(x);
  return {
    weight: g.weight(join(name, 'weight'), 'f32', [channels]),
    bias: g.weight(join(name, 'bias'), 'f32', [channels]),
  };
}

/** A map and the norm through which it is read. Either form is made once, when it is first wanted. */
export interface Normed {
  readonly x: Tensor;
  readonly kind: 'plain' | 'swish';
  /** The normalised map. */
  map(): Tensor;
  /** Mean, scale and bias for kernels that normalise what they read. */
  affine(): Tensor;
}

/** GroupNorm with the weights `name`.weight and `name`.bias, before convolutions that read x. */
export function normed(v: VqKernels, name: string, x: Tensor, kind: Normed['kind']): Normed {
  const { g, variant } = v;
  let map: Tensor | undefined;
  let affine: Tensor | undefined;
  const coefficients = (): Tensor => {
    const sizes = { ...sizesOf(x), groups: VQ_GROUPS };
    const moments = g.call(groupMoments({ ...sizes, variant }), { x }).out;
    return g.call(groupAffine(sizes), { moments, ...normWeights(v, name, x) }).out;
  };
  return {
    x,
    kind,
    map: () => (map ??= norm(v, name, x, kind === 'swish')),
    affine: () => (affine ??= coefficients()),
  };
}

/** Conv2d of a map, or of one through a norm, with the weights `name`.weight and `name`.bias. */
export function conv(
  v: VqKernels,
  name: string,
  from: Tensor | Normed,
  options: ConvOptions,
): Tensor {
  const { g, dtype, variant, tiles } = v;
  const { residual, ...rest } = options;
  const { outChannels, kernelSize: k } = options;
  const source = 'affine' in from ? from.x : from;
  const { channels: inChannels, ...sizes } = sizesOf(source);
  const shape: Conv2dParams = { ...sizes, inChannels, dtype, variant, ...rest };
  const params = { ...shape, tile: tileOf<ConvTile>(tiles, convKey(shape)) };
  const weight = g.weight(join(name, 'weight'), dtype, [outChannels, inChannels, k, k]);
  const bias = g.weight(join(name, 'bias'), 'f32', [outChannels]);
  const tile = convTile(params);
  const winograd = tile.method === 'winograd';
  // Without barriers a norm is cheaper once for each value than once for each read.
  const onRead = 'affine' in from && variant.reduce !== 'serial' && !winograd;
  const input = onRead
    ? { x: source, affine: from.affine() }
    : { x: 'affine' in from ? from.map() : from };
  const fed = { weight, bias, ...input, ...(residual && { residual }) };
  const full: Conv2dParams = {
    ...params,
    residual: residual !== undefined,
    ...(onRead && { norm: from.kind }),
  };
  if (winograd) return winogradConv(g, full, fed, tiles);
  if (tile.split > 1) return convInParts(g, full, tile.split, fed);
  return called(g, conv2d(full), fed);
}

type ConvFed = Readonly<Record<'x' | 'weight' | 'bias', Tensor>> &
  Partial<Readonly<Record<'affine' | 'residual', Tensor>>>;

/** The output of a kernel of which the type does not say which bindings it has. */
function called(g: Graph, kernel: Kernel, fed: Readonly<Record<string, Tensor>>): Tensor {
  const { out }: Readonly<Record<string, Tensor>> = g.call(kernel, fed);
  if (!out) throw new RangeError(`${kernel.label}: makes no "out"`);
  return out;
}

function convInParts(g: Graph, params: Conv2dParams, split: number, fed: ConvFed): Tensor {
  const { bias, residual, ...inputs } = fed;
  const parts = called(g, conv2dParts(params), inputs);
  const [, images = 1, channels = 1, height = 1, width = 1] = parts.shape;
  const sizes = { parts: split, images, channels, height, width };
  const kernel = sumParts({ ...sizes, residual: residual !== undefined });
  return called(g, kernel, { x: parts, bias, ...(residual && { residual }) });
}

/** Winograd's method, a band of tiles after another, so that what lies between stays small. */
function winogradConv(
  g: Graph,
  params: Conv2dParams,
  { x, weight, bias, residual }: ConvFed,
  chosen: Tiles | undefined,
): Tensor {
  const { images, inChannels, outChannels, upsample = false, variant } = params;
  const { dtype = 'f32' } = params;
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
    const product = winogradProduct({
      ...{ inChannels, outChannels, tiles: part.count },
      ...(variant && { variant }),
      tile: tileOf<MapTile>(chosen, mapKey(outChannels, inChannels, part.count)),
    });
    const products = g.call(product, { weight: filters, x: g.call(input, { x }).out }).out;
    const output: Kernel = winogradOutput({
      ...{ images, channels: outChannels, ...out, part, residual: residual !== undefined },
    });
    const fed = { x: products, bias, ...(residual && { residual }) };
    if (made) g.call(output, { ...fed, out: made });
    else made = called(g, output, fed);
  }
  if (!made) throw new RangeError('a convolution without tiles');
  return made;
}
