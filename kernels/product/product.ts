/**
 * Every product of few rows with a weight matrix [outDim, inDim]. A unit of work is a few output
 * columns of up to `rowsOfTile` rows, so a weight is read once for all of them. Invocations that share
 * a unit read neighbouring weights, 16 bytes at a time; their sums meet through subgroup operations
 * (`spread`), then through workgroup memory. The order of a sum over inDim depends on the tile alone,
 * never on the number of rows: products are batch-invariant.
 */

import {
  assert,
  assertSizes,
  type Bindings,
  ceilDiv,
  type Dispatch,
  declare,
  enable,
  grid,
  type MatrixDType,
  range,
  type Variant,
} from '../kernel.ts';
import { loadWidth, quads, rowReader } from '../lib/accessors.ts';
import { normScaleLib } from '../lib/finite.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Columns, columnsOf } from './columns.ts';
import { type Layout, loop, sumNames } from './product-loop.ts';
import { QUAD, quadLoop } from './product-quad-loop.ts';
import { type ProductTile, productTile, rowsOfTile } from './product-tile.ts';
import { spread } from './spread.ts';

export interface ProductParams {
  /** Label without sizes. */
  readonly name: string;
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  /** Which columns this kernel makes; default all. */
  readonly columns?: Columns | undefined;
  /** Parts of inDim: `store` is called with row `rows` * part + r for the sum of a part. Default 1. */
  readonly split?: number;
  readonly dtype: MatrixDType;
  /** Names of the weight bindings; each gives one sum, all over the same input. */
  readonly weights: readonly [string] | readonly [string, string];
  /** RMSNorm of the input rows by the binding `gain` first, with this eps. */
  readonly normEps?: number;
  readonly variant: Variant;
  readonly tile?: Partial<ProductTile> | undefined;
}

/** Rows from which loading the input together pays: with 8 it gains nothing, with 16 1.2 to 1.4 times. */
const QUAD_ROWS = 9;
const QUAD_TILE = { span: 1, units: 16, columns: 4 } as const;

/**
 * Builds the dispatch around the loop.
 * @param bindings Must hold `x` [rows, inDim] f32, the weights (`weightBindings`, wide), and `gain`
 * [inDim] when normalised. A weight has the rows of `columns` only; the tensors of the epilogue are whole.
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
  assert(
    !norm || (normEps >= 0 && normEps < Infinity),
    `${name}: "normEps" expected a number from 0 up, got ${normEps}`,
  );
  const shape = { inDim, outDim: params.outDim, dtype, weights: weights.length, norm };
  const chosen = productTile(name, shape, variant, params.tile);
  // The same bits by another way, so the number of rows may choose.
  const quad =
    variant.reduce === 'serial' && chosen.span === QUAD && rows >= QUAD_ROWS && split === 1;
  const tile = quad ? { ...chosen, ...QUAD_TILE } : chosen;
  const rowTile = rowsOfTile({ rows, weights: weights.length, norm, quad }, tile, variant);
  const unitQuads = quads(tile.columns);
  const width = loadWidth(dtype, inDim);
  const sizes = { rows, inDim, outDim, firstQuad: first / 4, weights, norm };
  const layout: Layout = { ...sizes, ...tile, split, rowTile, unitQuads, width };
  const { span, parts, units } = tile;
  const rowTiles = ceilDiv(rows, rowTile);
  const threads = span * parts * units;
  const tiles = ceilDiv(quads(outDim), unitQuads * units) * rowTiles;
  const [gx, gy] = grid(tiles * split);
  const features: readonly GPUFeatureName[] = chosen.span > 1 ? ['subgroups'] : [];
  const code = wgsl`${enable(features)}
${declare(bindings)}
const EPS = f32(${normEps ?? 0});
${norm ? normScaleLib : ''}
${rowReader({ name: 'x', dtype: 'f32', length: inDim })}
${norm ? rowReader({ name: 'gain', dtype: 'f32', length: inDim }) : ''}
${weights.map((w) => rowReader({ name: w, dtype, length: inDim, width })).join('')}
${epilogue}
${parts > 1 ? shared(layout) : ''}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  ${split === 1 ? `let tile = group.y * ${gx}u + group.x;` : sliceOf(`group.y * ${gx}u + group.x`, tiles, split)}
  let first = (tile % ${rowTiles}u) * ${rowTile}u;
  let unit = (tile / ${rowTiles}u) * ${units}u + lane / ${span * parts}u;
  let share = lane % ${span * parts}u;
  ${quad ? quadLoop(layout) : loop(layout)}
  ${parts > 1 ? shareParts(layout) : storeSums(layout, quad)}
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

/** `code` that sums over the span, and what each invocation is left with. Values past the last are zero. */
function overSpan(layout: Layout) {
  const { weights, span } = layout;
  const names = sumNames(layout, weights);
  if (span === 1) return { code: 'let item = 0u;', left: names, copies: 1 };
  const count = names[0]?.length ?? 1;
  const padding = 2 ** Math.ceil(Math.log2(count)) - count;
  const values = names.map((list) => [...list, ...range(padding).map(() => 'vec4f()')]);
  return spread({ values, span });
}

/** Statements that store value `item` + j of a tile, if there is such a value. */
function storeItem(layout: Layout, item: string, values: readonly string[]): string {
  const { rows, rowTile, unitQuads, outDim, firstQuad, split } = layout;
  const i = `unit * ${unitQuads}u + (${item}) % ${unitQuads}u`;
  const row = `first + (${item}) / ${unitQuads}u`;
  return `if (${item} < ${rowTile * unitQuads}u && ${row} < ${rows}u && ${i} < ${quads(outDim)}u) { store(${split > 1 ? `slice * ${rows}u + ` : ''}${row}, ${firstQuad > 0 ? `${firstQuad}u + ` : ''}${i}, ${values.join(', ')}); }`;
}

/** The end of a kernel whose units have one span each; the sums may be normalised already. */
function storeSums(layout: Layout, scaled: boolean): string {
  const { rowTile, weights, norm, inDim, span, unitQuads } = layout;
  const squares =
    norm && !scaled
      ? range(rowTile).map((r) => {
          const steps = range(Math.log2(span)).map(
            (s) => `square${r} += subgroupShuffleXor(square${r}, ${2 ** s}u);`,
          );
          const scaling = weights.flatMap((w) =>
            range(unitQuads).map((q) => `${w}_sum${r}_${q} *= scale${r};`),
          );
          return `${steps.join(' ')} let scale${r} = scale_or_nan(inverseSqrt(square${r} / f32(${inDim}) + EPS)); ${scaling.join(' ')}`;
        })
      : [];
  const { code, left, copies } = overSpan(layout);
  const stores = range(left[0]?.length ?? 0).map((j) =>
    storeItem(
      layout,
      `item + ${j}u`,
      left.map((values) => values[j] ?? ''),
    ),
  );
  const end = copies > 1 ? `if ((lane & ${copies - 1}u) != 0u) { return; }` : '';
  return [...squares, code, end, ...stores].join('\n  ');
}

/** Workgroup memory for kernels whose units have several spans. */
function shared({ units, parts, rowTile, unitQuads, weights, norm }: Layout): string {
  const sums = weights.map(
    (w) => `var<workgroup> ${w}_parts: array<vec4f, ${units * parts * rowTile * unitQuads}>;`,
  );
  const squares = `var<workgroup> square_parts: array<f32, ${units * parts * rowTile}>;`;
  return [...sums, ...(norm ? [squares] : [])].join('\n');
}

/** The end of a kernel whose units have several spans: the parts are summed in order. */
function shareParts(layout: Layout): string {
  const { weights, norm, inDim, span, parts, rowTile, unitQuads } = layout;
  const items = rowTile * unitQuads;
  const { code, left, copies } = overSpan(layout);
  const squares = norm
    ? range(rowTile).map((r) => {
        const steps = range(Math.log2(span)).map(
          (s) => `square${r} += subgroupShuffleXor(square${r}, ${2 ** s}u);`,
        );
        return `${steps.join(' ')} square_parts[part * ${rowTile}u + ${r}u] = square${r};`;
      })
    : [];
  const puts = range(left[0]?.length ?? 0).map((j) => {
    const writes = left.map(
      (values, w) => `${weights[w]}_parts[part * ${items}u + item + ${j}u] = ${values[j]};`,
    );
    return `if (${copies > 1 ? `(lane & ${copies - 1}u) == 0u && ` : ''}item + ${j}u < ${items}u) { ${writes.join(' ')} }`;
  });
  const total = weights.map((w) => `${w}_total += ${w}_parts[at * ${items}u + value];`).join(' ');
  return `let part = lane / ${span}u;
  ${[...squares, code, ...puts].join('\n  ')}
  workgroupBarrier();
  for (var value = share; value < ${items}u; value += ${span * parts}u) {
    ${weights.map((w) => `var ${w}_total = vec4f();`).join(' ')}
    ${norm ? 'var square = 0.0;' : ''}
    for (var p = 0u; p < ${parts}u; p++) {
      let at = (lane / ${span * parts}u) * ${parts}u + p;
      ${total}
      ${norm ? `square += square_parts[at * ${rowTile}u + value / ${unitQuads}u];` : ''}
    }
    ${norm ? `let scale = scale_or_nan(inverseSqrt(square / f32(${inDim}) + EPS)); ${weights.map((w) => `${w}_total *= scale;`).join(' ')}` : ''}
    ${storeItem(
      layout,
      'value',
      weights.map((w) => `${w}_total`),
    )}
  }`;
}
