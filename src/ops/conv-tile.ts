/** How a convolution is made: by which kernels, and how these divide their work. */
import { type ConvParams, convSizes, isFew } from '../../kernels/conv/conv-shape.ts';
import {
  HALVES_CHANNELS,
  halvesProblem,
  halvesTile,
  halvesTiles,
} from '../../kernels/conv/halves-tile.ts';
import { assert, assertSizes, type Variant } from '../../kernels/kernel.ts';
import { assertTile } from '../../kernels/lib/params.ts';
import {
  MAP_SETTINGS,
  type MapTile,
  mapProblem,
  mapTile,
  mapTiles,
  ownMapTile,
} from '../../kernels/product/map-tile.ts';

/**
 * Ways to make a convolution.
 * - direct: `convDirect`, without barriers.
 * - gemm: `conv2d`, a product of maps; or `split` parts of its sums apart (`conv2dParts`), then `sumParts`.
 * - few: `convFew`, all of at most four channels in one invocation; 3x3 with stride 1.
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

/** What decides how a convolution is made. */
export interface ConvLayer extends Omit<ConvParams, 'residual' | 'norm'> {
  readonly variant: Variant;
  /** Settings that differ from the own choice; a layer that cannot be made so takes the nearest. */
  readonly tile?: Partial<ConvTile> | undefined;
}

/** Settings of a tile, by name. */
export const CONV_SETTINGS: readonly (keyof ConvTile)[] = ['method', 'split', ...MAP_SETTINGS];

/** Channels from which the 36 products of Winograd's method outweigh its transforms. */
const WINOGRAD_CHANNELS = 16;
/** Workgroups that a layer should have: several for each core of a large GPU. */
const WANTED_GROUPS = 128;
/** Least slices in a part of a sum. */
const LEAST_SLICES = 16;
const MAX_SPLIT = 8;

/** Which methods can make a layer on an adapter. */
function methodsOf(layer: ConvLayer): Readonly<Record<ConvMethod, boolean>> {
  const { inChannels, outChannels, kernelSize, stride = 1, variant } = layer;
  const barriers = variant.reduce !== 'serial';
  return {
    ...{ direct: true, gemm: true },
    halves:
      barriers && variant.halves === true && stride === 1 && inChannels % HALVES_CHANNELS === 0,
    few: barriers && isFew(layer),
    winograd:
      kernelSize === 3 && stride === 1 && Math.min(inChannels, outChannels) >= WINOGRAD_CHANNELS,
  };
}

/**
 * How a convolution is made on an adapter. The choice does not depend on the number of images.
 * @throws RangeError for settings that are none, and an unknown method or split.
 */
export function convTile(layer: ConvLayer): ConvTile {
  const { inChannels, outChannels, kernelSize, variant, tile: given = {} } = layer;
  assertTile('conv', given, CONV_SETTINGS);
  assertSizes('conv', { split: given.split ?? 1 });
  const { outHeight, outWidth } = convSizes(layer);
  const pixels = outHeight * outWidth;
  const serial = variant.reduce === 'serial';
  const can = methodsOf(layer);
  const single: ConvMethod = serial && kernelSize === 3 ? 'direct' : 'gemm';
  const ofHalves = halvesTile({ outChannels, pixels }, WANTED_GROUPS, variant);
  const byMatrices = can.halves && !halvesProblem(ofHalves, variant);
  const shared = can.few ? 'few' : byMatrices ? 'halves' : 'gemm';
  const { method: asked = serial && can.winograd ? 'winograd' : serial ? single : shared } = given;
  const methods = Object.keys(can);
  assert(
    methods.includes(asked),
    `conv: "method" expected one of ${methods.join(', ')}, got ${asked}`,
  );
  const method = can[asked] ? asked : single;
  const sizes = method === 'halves' && byMatrices ? ofHalves : ownMapTile(variant);
  const tile = mapTile<ConvTile>({ method, split: 0, ...sizes }, given);
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
export function convProblem(layer: ConvLayer): string | undefined {
  const { tile: asked = {}, variant } = layer;
  const made = convTile(layer);
  for (const setting of ['method', 'split'] as const) {
    if (asked[setting] && asked[setting] !== made[setting]) {
      return `${setting} ${asked[setting]} is ${made[setting]} for this layer`;
    }
  }
  if (made.method === 'halves') {
    const { outHeight, outWidth } = convSizes(layer);
    const n = layer.upsample ? outWidth : outHeight * outWidth;
    return halvesProblem(made, variant, { m: layer.outChannels, n });
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
