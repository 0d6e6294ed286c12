/** What the convolution kernels share: parameters, sizes, the norm of what they read, and tiles. */
import {
  assert,
  assertSizes,
  type Bindings,
  type Identity,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { assertParams, assertTile } from '../lib/params.ts';
import {
  MAP_SETTINGS,
  type MapTile,
  mapProblem,
  mapTile,
  mapTiles,
  ownMapTile,
} from '../product/map-tile.ts';
import { HALVES_CHANNELS, halvesProblem, halvesTile, halvesTiles } from './halves-tile.ts';

export interface Conv2dParams {
  readonly images: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Rows of the input. */
  readonly height: number;
  /** Columns of the input. */
  readonly width: number;
  /** Rows and columns of the filter. */
  readonly kernelSize: 1 | 3;
  /** Double the input by nearest neighbour first; folded into the reads. Default false. */
  readonly upsample?: boolean | undefined;
  /** 2 pads one zero row below and one column to the right, and nothing else. Default 1. */
  readonly stride?: 1 | 2 | undefined;
  /** Add the binding `residual`, shaped like the output. Default false. */
  readonly residual?: boolean | undefined;
  /**
   * Read (x - mean) * scale + bias instead of x, with the binding `affine` of `groupAffine`; with `swish`,
   * v * sigmoid(v) of that. Padding is zero after it. Default none.
   */
  readonly norm?: 'plain' | 'swish' | undefined;
  /** Storage of the weights; the bias is f32. Default f32. */
  readonly dtype?: 'f32' | 'f16' | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice; a layer that cannot be made so takes the nearest. */
  readonly tile?: Partial<ConvTile> | undefined;
}

/**
 * Ways to make a convolution.
 * - direct: one invocation makes a few channels of neighbouring pixels, without barriers.
 * - gemm: as a product of maps, im2col folded into the reads; `split` parts of the sum over input
 *   channels and taps are made apart and added (`conv2dParts`, `sumParts`).
 * - few: all of at most four channels in one invocation, each value read once; 3x3 with stride 1.
 * - halves: as a product of lines of halves, which are made of the map and the filters first (`convHalves`);
 *   for input channels by 32 and stride 1, where precision leaves room for it.
 * - winograd: 4x4 pixels from 36 products a channel instead of 144, for 3x3 filters with stride 1;
 *   four kernels (`winogradFilter` and those it names).
 */
export type ConvMethod = 'direct' | 'gemm' | 'halves' | 'few' | 'winograd';

export interface ConvTile extends MapTile {
  readonly method: ConvMethod;
  readonly split: number;
}

/** Settings of a tile, by name. */
export const CONV_SETTINGS: readonly (keyof ConvTile)[] = ['method', 'split', ...MAP_SETTINGS];

/** Most output channels of the method `few`: the four of a vec4f. */
export const FEW_CHANNELS = 4;
/** Channels from which the 36 products of Winograd's method outweigh its transforms. */
const WINOGRAD_CHANNELS = 16;
/** Workgroups that a layer should have: several for each core of a large GPU. */
const WANTED_GROUPS = 128;
/** Least slices in a part of a sum. */
const LEAST_SLICES = 16;
const MAX_SPLIT = 8;

type MapShape = readonly [images: number, channels: number, height: number, width: number];

export interface ConvSizes {
  readonly identity: Identity;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly inShape: MapShape;
  readonly outShape: MapShape;
  /** Zero rows above and columns to the left. */
  readonly pad: number;
  /** Multiply-adds. */
  readonly macs: number;
}

/** Rules of what whole convolutions and their parts take. */
export const CONV_RULES = {
  images: 'size',
  inChannels: 'size',
  outChannels: 'size',
  height: 'size',
  width: 'size',
  kernelSize: 'kernelSize',
  upsample: 'flag?',
  stride: 'stride?',
  norm: 'norm?',
  dtype: 'floatDtype?',
  variant: 'variant?',
  tile: 'tile?',
} as const;

/** Sizes of the output and of everything between, and which kernel this is. */
export function convSizes(params: Conv2dParams): ConvSizes {
  const identity = assertParams('conv2d', params, { ...CONV_RULES, residual: 'flag?' });
  assertTile('conv2d', params.tile, CONV_SETTINGS);
  assertSizes('conv2d', { split: params.tile?.split ?? 1 });
  const { images, inChannels, outChannels, height, width, kernelSize } = params;
  const { upsample = false, stride = 1 } = params;
  assert(
    kernelSize === 3 || (stride === 1 && !upsample),
    'conv2d: a 1x1 filter has neither stride nor upsample',
  );
  assert(stride === 1 || !upsample, 'conv2d: stride 2 and upsample exclude each other');
  const outSize = (size: number): number =>
    upsample ? 2 * size : stride === 2 ? Math.floor((size - 2) / 2) + 1 : size;
  const [outHeight, outWidth] = [outSize(height), outSize(width)];
  assertSizes('conv2d', { outHeight, outWidth });
  return {
    identity,
    outHeight,
    outWidth,
    inShape: [images, inChannels, height, width],
    outShape: [images, outChannels, outHeight, outWidth],
    pad: kernelSize === 3 && stride === 1 ? 1 : 0,
    macs: images * outChannels * outHeight * outWidth * inChannels * kernelSize ** 2,
  };
}

/** Which methods can make a layer on an adapter. */
function methodsOf(params: Conv2dParams): Readonly<Record<ConvMethod, boolean>> {
  const { inChannels, outChannels, kernelSize, upsample, stride = 1, variant = PORTABLE } = params;
  const same = kernelSize === 3 && stride === 1;
  return {
    ...{ direct: true, gemm: true },
    halves:
      variant.reduce !== 'serial' &&
      variant.halves === true &&
      stride === 1 &&
      inChannels % HALVES_CHANNELS === 0,
    few: same && !upsample && outChannels <= FEW_CHANNELS && variant.reduce !== 'serial',
    winograd: same && Math.min(inChannels, outChannels) >= WINOGRAD_CHANNELS,
  };
}

/** How a convolution is made on an adapter. The choice does not depend on the number of images. */
export function convTile(params: Conv2dParams): ConvTile {
  const { inChannels, outChannels, kernelSize, variant = PORTABLE } = params;
  const { outHeight, outWidth } = convSizes(params);
  const pixels = outHeight * outWidth;
  const serial = variant.reduce === 'serial';
  const can = methodsOf(params);
  const single: ConvMethod = serial && kernelSize === 3 ? 'direct' : 'gemm';
  const ofHalves = halvesTile({ outChannels, pixels }, WANTED_GROUPS, variant);
  const byMatrices = can.halves && !halvesProblem(ofHalves, variant);
  const shared = can.few ? 'few' : byMatrices ? 'halves' : 'gemm';
  const { method: asked = serial && can.winograd ? 'winograd' : serial ? single : shared } =
    params.tile ?? {};
  const methods = Object.keys(can);
  assert(
    methods.includes(asked),
    `conv2d: "method" expected one of ${methods.join(', ')}, got ${asked}`,
  );
  const method = can[asked] ? asked : single;
  const sizes = method === 'halves' && byMatrices ? ofHalves : ownMapTile(variant);
  const tile = mapTile<ConvTile>({ method, split: 0, ...sizes }, params.tile);
  const slices = Math.ceil((inChannels * kernelSize ** 2) / tile.slice);
  const groups = Math.ceil(pixels / tile.tileN) * Math.ceil(outChannels / tile.tileM);
  const wanted = Math.min(MAX_SPLIT, Math.ceil(WANTED_GROUPS / groups));
  // Serial kernels make the whole sum in one invocation.
  const most = serial && tile.split === 0 ? 1 : Math.floor(slices / LEAST_SLICES);
  const split = tile.split || Math.max(1, Math.min(wanted, most));
  const isCut = method === 'gemm' || method === 'halves';
  return { ...tile, method, split: isCut ? Math.min(split, slices) : 1 };
}

/** Why a convolution cannot be made with its tile as it stands there, or undefined where it can. */
export function convProblem(params: Conv2dParams): string | undefined {
  const { tile: asked = {}, variant = PORTABLE } = params;
  const made = convTile(params);
  for (const setting of ['method', 'split'] as const) {
    if (asked[setting] && asked[setting] !== made[setting]) {
      return `${setting} ${asked[setting]} is ${made[setting]} for this layer`;
    }
  }
  if (made.method === 'halves') {
    const { outHeight, outWidth } = convSizes(params);
    const n = params.upsample ? outWidth : outHeight * outWidth;
    return halvesProblem(made, variant, { m: params.outChannels, n });
  }
  const isTiled =
    made.method === 'gemm' || (made.method === 'winograd' && variant.reduce !== 'serial');
  return isTiled ? mapProblem(made, variant) : undefined;
}

/** Tiles worth measuring for convolutions on a device; software adapters are not asked to try barriers. */
export function convTiles(variant: Variant): readonly Partial<ConvTile>[] {
  const gemm = [1, 2, 4, 8].flatMap((split) =>
    mapTiles(variant).map((tile): Partial<ConvTile> => ({ method: 'gemm', split, ...tile })),
  );
  const halves = [1, 2, 4].flatMap((split) =>
    halvesTiles(variant).map((tile): Partial<ConvTile> => ({ method: 'halves', split, ...tile })),
  );
  return [{ method: 'direct' }, { method: 'few' }, { method: 'winograd' }, ...gemm, ...halves];
}

/** Bindings in their order, without the output. */
export function convInputs(params: Conv2dParams): Bindings {
  const { images, inChannels, outChannels, kernelSize: k, norm, dtype = 'f32' } = params;
  const shape = convSizes(params).inShape;
  return {
    x: { role: 'in', dtype: 'f32', shape },
    ...(norm && {
      affine: { role: 'in', dtype: 'f32', shape: [images, inChannels, 4], element: 'vec4f' },
    }),
    weight: { role: 'in', dtype, shape: [outChannels, inChannels, k, k] },
  };
}

/** `fn normed(v: f32, affine: vec4f) -> f32`, for kernels that normalise what they read; or of vectors. */
export const normedLib = (norm: Conv2dParams['norm'], type: 'f32' | 'vec4f' = 'f32'): string =>
  norm
    ? `fn normed(v: ${type}, affine: vec4f) -> ${type} {
  let h = (v - affine.x) * affine.y + affine.z;
  return ${norm === 'swish' ? 'h / (1.0 + exp(-h))' : 'h'};
}`
    : '';

/** What is particular about a convolution, for its label. */
export const convNotes = ({ upsample, stride, residual, norm, dtype }: Conv2dParams): string =>
  [
    upsample && ' upsample',
    stride === 2 && ' stride 2',
    norm && (norm === 'swish' ? ' norm swish' : ' norm'),
    residual && ' residual',
    dtype === 'f16' && ' f16 weight',
  ]
    .filter(Boolean)
    .join('');
