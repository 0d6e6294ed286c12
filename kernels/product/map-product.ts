/**
 * The product behind everything that mixes channels or pixels of feature maps:
 * out[b, m, n] = scale * sum_k left[b, m, k] * right[b, k, n] (+ bias[m]) (+ residual[b, m, n]).
 * Operands say where their elements lie, so none is transposed first. Sums in f32.
 */

import {
  type Bindings,
  type Dispatch,
  declare,
  declareSized,
  enable,
  type Feature,
  PORTABLE,
  type Sizes,
  type Variant,
} from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertTile } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl.ts';
import { MAP_SETTINGS, type MapTile, mapTile, ownMapTile } from './map-tile.ts';
import { quadLoop } from './quad-product.ts';
import { tiledLoop } from './tiled-product.ts';

/** A binding, and the distance of its elements along the product's axes. */
export interface Operand {
  readonly name: string;
  readonly dtype?: 'f32' | 'f16' | undefined;
  /** From one m (left) or n (right) to the next. */
  readonly line: number;
  /** From one k to the next. */
  readonly k: number;
  /** From one b to the next; 0 when all share it. */
  readonly batch: number;
}

export interface MapProductParams {
  /** The kernel it is for; named in errors. */
  readonly name: string;
  /** Label, with sizes. */
  readonly label: string;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly left: Operand;
  readonly right: Operand;
  /** Multiplies the sum. Default 1. */
  readonly scale?: number | undefined;
  /** Name of a binding f32 [m] that is added. */
  readonly bias?: string | undefined;
  /** Name of a binding f32 [batch, m, n] that is added. */
  readonly residual?: string | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice, of kernels with barriers. */
  readonly tile?: Partial<MapTile> | undefined;
}

/** What a loop over the product has besides the product itself. */
export interface Loop {
  readonly code: string;
  readonly workgroups: readonly [x: number, y: number, z: number];
  readonly features: readonly Feature[];
  /** `m`, `n` and whatever else the loop reads as sizes; default none, the text holds them. */
  readonly sizes?: Sizes | undefined;
}

/** Builds the dispatch; `bindings` must hold both operands, `out` [batch, m, n] and what is added. */
export function mapProduct<B extends Bindings>(params: MapProductParams, bindings: B): Dispatch<B> {
  const { name, label, batch, m, n, k, left, right, scale = 1, bias, residual } = params;
  const { variant = PORTABLE, tile } = params;
  assertIndexable(name, bindings);
  assertTile(name, tile, MAP_SETTINGS);
  const { lanes = 1, reduce } = variant;
  const loop: Loop =
    reduce === 'serial'
      ? quadLoop(params, lanes >= 4)
      : tiledLoop(
          { ...params, name },
          operandReaders(params),
          mapTile(ownMapTile(variant), tile),
          variant,
        );
  const added = [
    scale === 1 ? 'sum' : `sum * f32(${scale})`,
    ...(bias ? [`${bias}[m]`] : []),
    ...(residual ? [`${residual}[at]`] : []),
  ].join(' + ');
  const { workgroups, features, sizes } = loop;
  const [rows, columns] = sizes ? ['sizes.m', 'sizes.n'] : [`${m}u`, `${n}u`];
  const axesOf = (o: Operand, line: string): string =>
    `${o.batch ? 'batch, ' : ''}${o.k === 1 ? `${line}, k` : `k, ${line}`}`;
  const axes = {
    ...{ [left.name]: axesOf(left, 'm'), [right.name]: axesOf(right, 'n') },
    ...{ ...(bias && { [bias]: 'm' }), ...(residual && { [residual]: 'batch, m, n' }) },
    out: 'batch, m, n',
  };
  const code = wgsl`${enable(features)}
${sizes ? declareSized(bindings, sizes, axes) : declare(bindings)}
${[left, right].map((o) => valueReader(o.name, o.dtype ?? 'f32')).join('')}
fn store(batch: u32, m: u32, n: u32, sum: f32) {
  let at = (batch * ${rows} + m) * ${columns} + n;
  out[at] = ${added};
}
${loop.code}`;
  const operations = 2 * batch * m * n * k;
  const shared = { label, code, bindings, workgroups, features, cost: { operations } };
  return sizes ? { ...shared, sizes } : shared;
}

/** A distance between elements of an operand, as a WGSL expression of u32. */
export type Distance = (axis: 'batch' | 'line' | 'k') => string;

/** Index of an element: `batch`, `line` and `k` are WGSL expressions of u32. */
export const indexOf = (
  o: Operand,
  batch: string,
  line: string,
  k: string,
  distance: Distance = (axis) => `${o[axis]}u`,
): string =>
  [
    ...(o.batch ? [`${batch} * ${distance('batch')}`] : []),
    o.line === 1 ? line : `${line} * ${distance('line')}`,
    ...(k ? [o.k === 1 ? k : `${k} * ${distance('k')}`] : []),
  ].join(' + ');

/** `left_at(batch, k, m)` and `right_at(batch, k, n)` for the tiled loop. */
const operandReaders = ({ left, right }: MapProductParams): string =>
  [['left', left] as const, ['right', right] as const]
    .map(
      ([side, o]) => `fn ${side}_at(batch: u32, k: u32, line: u32) -> f32 {
  return ${o.name}_at(${indexOf(o, 'batch', 'line', 'k')});
}`,
    )
    .join('\n');
