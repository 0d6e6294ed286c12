/**
 * Every product of few rows with a weight [outDim, inDim]. A unit of work is a few output columns of up
 * to `rowsOfTile` rows, so a weight is read once for all of them. Invocations that share a unit read
 * neighbouring weights, 16 bytes at a time; their sums meet through subgroup operations (`overSpan`),
 * then through workgroup memory. The order of a sum over inDim depends on the tile alone, never on the
 * number of rows: products are batch-invariant.
 */
import {
  assertSizes,
  type Bindings,
  ceilDiv,
  type Dispatch,
  declare,
  enable,
  grid,
  type MatrixDType,
  type Variant,
} from '../kernel.ts';
import { loadWidth, quads, rowReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Columns, columnsOf } from './columns.ts';
import { type Layout, loop, normLib, QUAD, valuesLib } from './product-loop.ts';
import { partsLib, storeItem, storeSums, sumParts, TRADE } from './product-sums.ts';
import { type ProductTile, productTile, rowsOfTile } from './product-tile.ts';

export interface ProductParams {
  /** Label without sizes. */
  readonly name: string;
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  /** Which columns this kernel makes; default all. */
  readonly columns?: Columns | undefined;
  /** Parts of inDim: `store` is called with row `rows` * part + r for the sum of a part. Default 1. */
  readonly split?: number | undefined;
  readonly dtype: MatrixDType;
  /** Names of the weight bindings; each gives one sum, all over the same input. */
  readonly weights: readonly [string] | readonly [string, string];
  /** RMSNorm of the input rows by the binding `gain` first, with this eps. */
  readonly normEps?: number | undefined;
  readonly variant: Variant;
  readonly tile?: Partial<ProductTile> | undefined;
}

/** Rows from which loading the input together pays: with 8 it gains nothing, with 16 1.2 to 1.4 times. */
const QUAD_ROWS = 9;
const QUAD_TILE = { span: 1, units: 16, columns: 4 } as const;

/**
 * Builds the dispatch around the loop.
 * @param bindings Must hold `x` [rows, inDim] f32, the weights (`weightBindings`), and `gain` [inDim]
 * when normalised. A weight has the rows of `columns` only; the tensors of the epilogue are whole.
 * @param epilogue WGSL that defines `fn store(row: u32, i: u32, a: vec4f)` (and a second vec4f with
 * two weights): what to do with columns 4i .. 4i+3 of a row. Columns past outDim hold garbage.
 */
export function productKernel<B extends Bindings>(
  params: ProductParams,
  bindings: B,
  epilogue: string,
): Dispatch<B> {
  const { name, rows, inDim, split = 1, dtype, weights, normEps, variant } = params;
  const { first, count: outDim } = columnsOf(name, params);
  assertSizes(name, { rows, inDim });
  assertIndexable(name, bindings);
  const norm = normEps !== undefined;
  const shape = { inDim, outDim: params.outDim, dtype, weights: weights.length, norm };
  const chosen = productTile(name, shape, variant, params.tile);
  // The same bits by another way, so the number of rows may choose.
  const quad =
    variant.reduce === 'serial' && chosen.span === QUAD && rows >= QUAD_ROWS && split === 1;
  const tile = quad ? { ...chosen, ...QUAD_TILE } : chosen;
  const { span, parts, units } = tile;
  const rowTile = rowsOfTile({ rows, weights: weights.length, norm, quad }, tile, variant);
  const unitQuads = quads(tile.columns);
  const width = loadWidth(dtype, inDim);
  const sizes = { rows, inDim, outDim, firstQuad: first / 4, split, weights, norm };
  const layout: Layout = { ...sizes, ...tile, rowTile, unitQuads, width, quad };
  const rowTiles = ceilDiv(rows, rowTile);
  const tiles = ceilDiv(quads(outDim), unitQuads * units) * rowTiles;
  const [gx, gy] = grid(tiles * split);
  const features: readonly GPUFeatureName[] = span > 1 || quad ? ['subgroups'] : [];
  const team = span * parts;
  const code = wgsl`${enable(features)}
${declare(bindings)}
${rowReader({ name: 'x', dtype: 'f32', length: inDim, width })}
${weights.map((w) => rowReader({ name: w, dtype, length: inDim, width })).join('')}
${valuesLib(layout)}
${normEps === undefined ? '' : normLib(layout, normEps)}
${epilogue}
${storeItem(layout)}
${span > 1 ? TRADE : ''}
${parts > 1 ? partsLib(layout) : ''}
@compute @workgroup_size(${team * units})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  ${split > 1 ? sliceOf(`group.y * ${gx}u + group.x`, tiles, split) : `let tile = group.y * ${gx}u + group.x;`}
  let first = tile % ${rowTiles}u * ${rowTile}u;
  let unit = tile / ${rowTiles}u * ${units}u + lane / ${team}u;
  let share = lane % ${team}u;
  ${[...loop(layout), ...(parts > 1 ? sumParts(layout) : storeSums(layout))].join('\n  ')}
}`;
  return {
    label: `${name} ${dtype}[${outDim},${inDim}]${first > 0 ? ` from ${first}` : ''} x ${rows}${split > 1 ? ` in ${split}` : ''}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features,
    cost: { operations: 2 * rows * inDim * outDim * weights.length },
  };
}

/** Declares the part `slice` of inDim and the tile within it; workgroups past the last return. */
const sliceOf = (index: string, tiles: number, split: number): string => `let index = ${index};
  let slice = index / ${tiles}u;
  if (slice >= ${split}u) { return; }
  let tile = index % ${tiles}u;`;
