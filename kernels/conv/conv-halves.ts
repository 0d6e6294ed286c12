import {
  assert,
  type Bindings,
  ceilDiv,
  declare,
  enable,
  type Identity,
  type Kernel,
  MAX_WORKGROUPS,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams, assertTile } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl.ts';
import type { Loop } from '../product/map-product.ts';
import { MAP_SETTINGS, MAP_TILE, type MapTile, mapTile, matrixOf } from '../product/map-tile.ts';
import { tiledLoop } from '../product/tiled-product.ts';
import { halvesMatrix } from './halves-matrix.ts';
import { fitsMatrices, HALVES_CHANNELS, halvesProblem, LOAD } from './halves-tile.ts';

export interface ConvHalvesParams {
  readonly images: number;
  /** A multiple of 32. */
  readonly inChannels: number;
  readonly outChannels: number;
  /** Rows of the output. */
  readonly height: number;
  /** Columns of the output. */
  readonly width: number;
  /** Rows and columns of the filter; 3 reads a map with a border. */
  readonly kernelSize: 1 | 3;
  /** Add the binding `residual`, shaped like the output. Default false. */
  readonly residual?: boolean | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from those of f32. */
  readonly tile?: Partial<MapTile> | undefined;
}

/**
 * Convolution of halves: out[n, o, y, x] = bias[o] + sum_{ky, kx, c} weight[o, ky, kx, c] * x[n, y + ky, x + kx,
 * c] (+ residual[n, o, y, x]), in this order of the sum, which is f32. A product of lines along k, as both
 * operands lie in memory: whatever becomes of a map on the way in (norm, doubling, border), `halvesOfMap` has
 * done once for each value.
 *
 * Shapes: x f16 [images, rows, columns, inChannels] of `halvesOfMap`, weight f16 [outChannels, k * k, inChannels]
 * of `halvesOfFilter`, bias [outChannels], residual and out f32 [images, outChannels, height, width].
 * Source: Chetlur et al. 2014 (arXiv:1410.0759), implicit GEMM.
 */
export const convHalves = (params: ConvHalvesParams): Kernel =>
  dispatchOf(
    assertParams('conv_halves', params, { ...RULES, residual: 'flag?' }),
    params,
    params.residual ? 'sum + bias[m] + residual[at]' : 'sum + bias[m]',
  );

export interface ConvHalvesPartsParams extends Omit<ConvHalvesParams, 'residual'> {
  /** Parts of the sum. */
  readonly split: number;
}

/**
 * The parts of such a convolution's sums, of whole slices of the tile, without bias and residual; `sumParts`
 * adds them. For layers of too few pixels to keep a GPU busy.
 *
 * Shapes: out f32 [split, images, outChannels, height, width].
 */
export const convHalvesParts = (params: ConvHalvesPartsParams): Kernel =>
  dispatchOf(assertParams('conv_halves_parts', params, { ...RULES, split: 'size' }), params, 'sum');

const RULES = {
  images: 'size',
  inChannels: 'size',
  outChannels: 'size',
  height: 'size',
  width: 'size',
  kernelSize: 'kernelSize',
  variant: 'variant?',
  tile: 'tile?',
} as const;

type Params = ConvHalvesParams & Partial<ConvHalvesPartsParams>;

/** @param stored WGSL of what is stored of `sum`, at channel m. */
function dispatchOf(identity: Identity, params: Params, stored: string): Kernel {
  const { name } = identity;
  assertTile(name, params.tile, MAP_SETTINGS);
  const { images, inChannels, outChannels, height, width, kernelSize: size } = params;
  const { residual = false, split } = params;
  assert(
    inChannels % HALVES_CHANNELS === 0,
    `${name}: "inChannels" expected a multiple of ${HALVES_CHANNELS}, got ${inChannels}`,
  );
  const border = size - 1;
  const taps = size ** 2;
  const outShape = [images, outChannels, height, width];
  const loop = loopOf(name, params, stored);
  const bindings: Bindings = {
    x: {
      ...{ role: 'in', dtype: 'f16', element: 'vec4u' },
      shape: [images, height + border, width + border, inChannels],
    },
    weight: { role: 'in', dtype: 'f16', shape: [outChannels, taps, inChannels], element: 'vec4u' },
    ...(split === undefined && { bias: { role: 'in', dtype: 'f32', shape: [outChannels] } }),
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape: outShape } }),
    out: {
      role: 'out',
      dtype: 'f32',
      shape: split === undefined ? outShape : [split, ...outShape],
    },
  };
  assertIndexable(name, bindings);
  const columns = width + border;
  const eights = inChannels / LOAD;
  const code = wgsl`${enable(loop.features)}
${declare(bindings)}
// Place of the values that a pixel meets at the first tap; then how far on those of place k of a filter are.
fn pixel_at(image: u32, n: u32) -> u32 {
  return ((image * ${height + border}u + n / ${width}u) * ${columns}u + n % ${width}u) * ${eights}u;
}
fn tap_at(k: u32) -> u32 {
  let tap = k / ${eights}u;
  return (tap / ${size}u * ${columns}u + tap % ${size}u) * ${eights}u + k % ${eights}u;
}
${loop.code}`;
  const macs = images * outChannels * height * width * inChannels * taps;
  return {
    ...identity,
    label: `${name} ${size}x${size}${split === undefined ? '' : ` in ${split}`}${residual ? ' residual' : ''} [${images},${inChannels},${height},${width}]->[${outShape}]`,
    code,
    bindings,
    workgroups: loop.workgroups,
    features: loop.features,
    cost: { operations: 2 * macs },
  };
}

/** By matrices, or each invocation a tile in registers. */
function loopOf(name: string, params: Params, stored: string): Loop {
  const { images, inChannels, outChannels: m, height, width, kernelSize } = params;
  const { split = 1, variant = PORTABLE } = params;
  const tile = mapTile(MAP_TILE, params.tile);
  const [n, k] = [height * width, inChannels * kernelSize ** 2];
  const problem = halvesProblem(tile, variant, { m, n });
  assert(problem === undefined, `${name}: ${problem}`);
  const matrix = matrixOf(tile, variant);
  if (!matrix) {
    const lines = { left: { k: 1 }, right: { k: 1 } };
    const product = { name, batch: images, m, n, k, split, ...lines };
    const lib = storeLib('store_one', m, n, stored) + foursLib(n, k);
    return tiledLoop({ ...product, fours: true }, lib, tile, variant);
  }
  const workgroups = [ceilDiv(n, tile.tileN), ceilDiv(m, tile.tileM), images * split] as const;
  assert(Math.max(...workgroups) <= MAX_WORKGROUPS, `${name}: ${m} x ${n} is too large`);
  const { residual = false } = params;
  const added = { bias: params.split === undefined, residual };
  const product = { m, n, k, split, images, ...added };
  const { code, features } = halvesMatrix(product, tile, matrix);
  const lib = fitsMatrices(product, matrix) ? '' : storeLib('store', m, n, stored);
  return { code: `${lib}${code}`, features, workgroups };
}

/** Stores one value. */
const storeLib = (name: string, channels: number, pixels: number, stored: string): string => `
fn ${name}(batch: u32, m: u32, n: u32, sum: f32) {
  let at = (batch * ${channels}u + m) * ${pixels}u + n;
  out[at] = ${stored};
}`;

/** What the tiled product reads and stores: four values at once. */
const foursLib = (n: number, k: number): string => `
fn four_of(eight: vec4u, i: u32) -> vec4f {
  let two = select(eight.xy, eight.zw, (i & 1u) == 1u);
  return vec4f(unpack2x16float(two.x), unpack2x16float(two.y));
}
fn left_at(batch: u32, k: u32, line: u32) -> vec4f {
  return four_of(weight[line * ${k / LOAD}u + k / 2u], k);
}
fn right_at(batch: u32, k: u32, line: u32) -> vec4f {
  return four_of(x[pixel_at(batch, line) + tap_at(k / 2u)], k);
}
fn store(batch: u32, m: u32, i: u32, sums: vec4f) {
  for (var c = 0u; c < min(4u, ${n}u - 4u * i); c++) { store_one(batch, m, 4u * i + c, sums[c]); }
}`;
