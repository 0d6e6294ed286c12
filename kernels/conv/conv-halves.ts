import {
  assert,
  type Bindings,
  declare,
  enable,
  type Identity,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams, assertTile } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import type { Loop } from '../product/map-product.ts';
import { MAP_SETTINGS, MAP_TILE, type MapTile, mapTile, matrixOf } from '../product/map-tile.ts';
import { mapGrid, tiledLoop } from '../product/tiled-product.ts';
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
  /**
   * Of a map doubled by nearest neighbour: its columns already are, its rows by the filters. An even row meets
   * two rows of the map, an odd one the second of them and the next, with what their taps are together. Only
   * for 3x3, an even height and no residual. Default false.
   */
  readonly upsample?: boolean | undefined;
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
 * of `halvesOfFilter` (with `upsample` [2, outChannels, 6, inChannels]), bias [outChannels], residual and out f32
 * [images, outChannels, height, width].
 * Source: Chetlur et al. 2014 (arXiv:1410.0759), implicit GEMM.
 */
export const convHalves = (params: ConvHalvesParams): Kernel =>
  dispatchOf(
    assertParams('conv_halves', params, { ...RULES, residual: rule.optional(rule.flag) }),
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
  dispatchOf(
    assertParams('conv_halves_parts', params, { ...RULES, split: rule.size }),
    params,
    'sum',
  );

const RULES = {
  images: rule.size,
  inChannels: rule.size,
  outChannels: rule.size,
  height: rule.size,
  width: rule.size,
  kernelSize: rule.kernelSize,
  upsample: rule.optional(rule.flag),
  variant: rule.optional(rule.variant),
  tile: rule.optional(rule.tile),
} as const;

type Params = ConvHalvesParams & Partial<ConvHalvesPartsParams>;

/** @param stored WGSL of what is stored of `sum`, at channel m. */
function dispatchOf(identity: Identity, params: Params, stored: string): Kernel {
  const { name } = identity;
  assertTile(name, params.tile, MAP_SETTINGS);
  const { images, inChannels, outChannels, height, width, kernelSize: size } = params;
  const { residual = false, split, upsample = false } = params;
  assert(
    !upsample || (size === 3 && height % 2 === 0 && !residual),
    `${name}: "upsample" expected a 3x3 filter, an even height and no residual`,
  );
  assert(
    inChannels % HALVES_CHANNELS === 0,
    `${name}: "inChannels" expected a multiple of ${HALVES_CHANNELS}, got ${inChannels}`,
  );
  const border = size - 1;
  const { taps, turns } = turnsOf(params);
  const outShape = [images, outChannels, height, width];
  const loop = loopOf(name, params, stored);
  const bindings: Bindings = {
    x: {
      ...{ role: 'in', dtype: 'f16', element: 'vec4u' },
      shape: [images, height / turns + border, width + border, inChannels],
    },
    weight: {
      ...{ role: 'in', dtype: 'f16', element: 'vec4u' },
      shape: [...(upsample ? [turns] : []), outChannels, taps, inChannels],
    },
    ...(split === undefined && { bias: { role: 'in', dtype: 'f32', shape: [outChannels] } }),
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape: outShape } }),
    out: {
      role: 'out',
      dtype: 'f32',
      shape: split === undefined ? outShape : [split, ...outShape],
    },
  };
  assertIndexable(name, bindings);
  const code = wgsl`${enable(loop.features)}
${declare(bindings)}
${placesLib(params)}
${loop.code}`;
  const macs = images * outChannels * height * width * inChannels * taps;
  return {
    ...identity,
    label: `${name} ${size}x${size}${split === undefined ? '' : ` in ${split}`}${upsample ? ' upsample' : ''}${residual ? ' residual' : ''} [${images},${inChannels},${height},${width}]->[${outShape}]`,
    code,
    bindings,
    workgroups: loop.workgroups,
    features: loop.features,
    cost: { operations: 2 * macs },
  };
}

/** Taps of a filter, and how many filters take turns with the rows of the result. */
const turnsOf = ({
  kernelSize: size,
  upsample = false,
}: Params): { taps: number; turns: number } =>
  upsample ? { taps: 2 * size, turns: 2 } : { taps: size ** 2, turns: 1 };

/** Where things lie. A batch is an image, or with `upsample` the even rows of one or the odd ones. */
function placesLib(params: Params): string {
  const { inChannels, outChannels, height, width, kernelSize: size, upsample = false } = params;
  const border = size - 1;
  const { taps, turns } = turnsOf(params);
  const columns = width + border;
  const eights = inChannels / LOAD;
  const [image, odd] = upsample ? ['batch / 2u', ' + batch % 2u'] : ['batch', ''];
  const row = upsample ? ` + (n / ${width}u + batch % 2u) * ${width}u` : '';
  return `// Place of the values that a pixel meets at the first tap; then how far on those of place k of a filter are.
fn pixel_at(batch: u32, n: u32) -> u32 {
  return ((${image} * ${height / turns + border}u + n / ${width}u${odd}) * ${columns}u + n % ${width}u) * ${eights}u;
}
fn tap_at(k: u32) -> u32 {
  let tap = k / ${eights}u;
  return (tap / ${size}u * ${columns}u + tap % ${size}u) * ${eights}u + k % ${eights}u;
}
fn filter_at(batch: u32, m: u32) -> u32 {
  return ${upsample ? `(batch % 2u * ${outChannels}u + m)` : 'm'} * ${taps * eights}u;
}
fn place_of(batch: u32, m: u32, n: u32) -> u32 {
  return (${image} * ${outChannels}u + m) * ${height * width}u + n${row};
}`;
}

/** By matrices, or each invocation a tile in registers. */
function loopOf(name: string, params: Params, stored: string): Loop {
  const { images, inChannels, outChannels: m, height, width, upsample = false } = params;
  const { split = 1, variant = PORTABLE, residual = false } = params;
  const tile = mapTile(MAP_TILE, params.tile);
  const { taps, turns } = turnsOf(params);
  const [n, k] = [(height / turns) * width, inChannels * taps];
  // Pixels that lie next to each other.
  const result = { m, n: upsample ? width : n };
  const problem = halvesProblem(tile, variant, result);
  assert(problem === undefined, `${name}: ${problem}`);
  const batch = images * turns;
  const matrix = matrixOf(tile, variant);
  if (!matrix) {
    const lines = { left: { k: 1 }, right: { k: 1 } };
    const product = { name, batch, m, n, k, split, ...lines };
    const lib = storeLib('store_one', stored) + foursLib(n);
    return tiledLoop({ ...product, fours: true }, lib, tile, variant);
  }
  const workgroups = mapGrid({ name, batch, m, n, split }, tile);
  const added = { bias: params.split === undefined, residual };
  const fits = fitsMatrices(result, matrix);
  const product = { m, n, k, split, batch, fits, plane: height * width, ...added };
  const { code, features } = matrix.texts.halves(product, tile, matrix);
  return { code: `${fits ? '' : storeLib('store', stored)}${code}`, features, workgroups };
}

/** Stores one value. */
const storeLib = (name: string, stored: string): string => `
fn ${name}(batch: u32, m: u32, n: u32, sum: f32) {
  let at = place_of(batch, m, n);
  out[at] = ${stored};
}`;

/** What the tiled product reads and stores: four values at once. */
const foursLib = (n: number): string => `
fn four_of(eight: vec4u, i: u32) -> vec4f {
  let two = select(eight.xy, eight.zw, (i & 1u) == 1u);
  return vec4f(unpack2x16float(two.x), unpack2x16float(two.y));
}
fn left_at(batch: u32, k: u32, line: u32) -> vec4f {
  return four_of(weight[filter_at(batch, line) + k / 2u], k);
}
fn right_at(batch: u32, k: u32, line: u32) -> vec4f {
  return four_of(x[pixel_at(batch, line) + tap_at(k / 2u)], k);
}
fn store(batch: u32, m: u32, i: u32, sums: vec4f) {
  for (var c = 0u; c < min(4u, ${n}u - 4u * i); c++) { store_one(batch, m, 4u * i + c, sums[c]); }
}`;
