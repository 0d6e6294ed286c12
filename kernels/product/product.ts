/**
 * Every product of few rows with a weight [outDim, inDim], in registers or by matrices. A team of invocations has a few output columns
 * of up to `rowTile` rows, so a weight is read once for all of them. Its invocations read neighbouring
 * weights, 16 bytes at a time; their sums meet through subgroup operations, then through workgroup
 * memory. The order of a sum over inDim depends on the tile alone, never on the number of rows: products
 * are batch-invariant.
 */
import {
  assert,
  type Bindings,
  ceilDiv,
  type Dispatch,
  declare,
  grid,
  type MatrixDType,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { quads, rowReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { loadWidth, weightReader } from '../lib/weights.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Columns, columnsOf, productBytes } from './columns.ts';
import { inRegisters } from './product-loop.ts';
import { type ProductTile, productProblem, productTile } from './product-tile.ts';
import { type Product, valuesLib } from './product-values.ts';

export interface ProductParams {
  /** Label without sizes. */
  readonly name: string;
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  /** Which columns this kernel makes; default all. */
  readonly columns?: Columns | undefined;
  /** Parts of inDim, a layer of the grid each: `store` is called with row `rows` * part + r. Default 1. */
  readonly split?: number | undefined;
  /** Default f32. */
  readonly dtype?: MatrixDType | undefined;
  /** Names of the weight bindings; each gives one sum, all over the same input. */
  readonly weights: readonly [string] | readonly [string, string];
  /** RMSNorm of the input rows by the binding `gain` first, with this eps. */
  readonly normEps?: number | undefined;
  readonly variant?: Variant | undefined;
  readonly tile?: Partial<ProductTile> | undefined;
}

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
  const { name, rows, inDim, split = 1, weights, normEps, tile } = params;
  const { dtype = 'f32', variant = PORTABLE } = params;
  const { first, count: outDim } = columnsOf(name, params);
  assertIndexable(name, bindings);
  const width = loadWidth(dtype, inDim);
  const product: Product = {
    rows,
    inDim,
    outDim,
    firstQuad: first / 4,
    split,
    weights,
    normEps,
    width,
  };
  const shape = { ...product, dtype, weights: weights.length, norm: normEps !== undefined };
  const problem = productProblem(shape, variant, tile);
  assert(problem === undefined, `${name}: ${problem}`);
  const whole = productTile(shape, variant, tile);
  const made =
    whole.math === 'matrix' && variant.matrix
      ? variant.matrix.texts.few(product, variant.matrix, variant, tile ?? {})
      : inRegisters({ ...product, ...whole, serial: variant.reduce === 'serial' });
  const rowTiles = ceilDiv(rows, made.rowTile);
  const tiles = ceilDiv(4 * quads(outDim), made.columnTile) * rowTiles;
  const [gx, gy] = grid(tiles);
  const code = wgsl`${made.enable}
${declare(bindings)}
${rowReader({ name: 'x', dtype: 'f32', length: inDim })}
${weights.map((w) => weightReader(w, dtype, inDim, width)).join('')}
${valuesLib(product)}
${epilogue}
${made.lib}
@compute @workgroup_size(${made.size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32${made.builtins}) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * ${gx}u + group.x;
  let first = tile % ${rowTiles}u * ${made.rowTile}u;
  let columns = tile / ${rowTiles}u;
  ${made.main}
}`;
  return {
    label: `${name} ${dtype}[${outDim},${inDim}]${first > 0 ? ` from ${first}` : ''} x ${rows}${split > 1 ? ` in ${split}` : ''}`,
    code,
    bindings,
    workgroups: [gx, gy, split],
    features: made.features,
    cost: {
      bytes: productBytes(bindings, outDim / params.outDim),
      operations: 2 * rows * inDim * outDim * weights.length,
    },
  };
}
