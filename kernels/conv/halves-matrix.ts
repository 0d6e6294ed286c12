/**
 * The loop of a convolution of halves by matrices of subgroups. Both operands are lines along k, of which
 * an invocation brings eight halves at once; those of the next slice are on their way while this one is
 * multiplied. Where matrices fit the result they begin as bias and residual and are stored as they are;
 * elsewhere workgroup memory hands them on, a matrix of each subgroup at a time.
 */
import { type Feature, MATRIX_FEATURE, type MatrixSizes, range } from '../kernel.ts';
import type { MapTile } from '../product/map-tile.ts';
import {
  loadLeftRows,
  loadRightColumns,
  loadSum,
  matrixTypes,
  multiplyAdd,
  rightOfOnes,
  SUBGROUP_ID,
  storeSumTo,
} from '../product/matrix-ops.ts';
import { drain, handOn, type Place } from '../product/matrix-product.ts';
import { type HalvesPlan, halvesPlan, LOAD } from './halves-tile.ts';

/** Sizes of the product; k in halves. */
export interface HalvesProduct {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly split: number;
  /** Products beside each other. */
  readonly batch: number;
  /** Whether the result is made of whole matrices. */
  readonly fits: boolean;
  /** Values from one line of the result to the next. */
  readonly plane: number;
  /** Whether there are bindings that are added. */
  readonly bias: boolean;
  readonly residual: boolean;
}

/**
 * The text. `pixel_at(batch, n)` and `tap_at(k)`, of which the sum is a place in `x`, `filter_at(batch, m)` and
 * `place_of(batch, m, n)` must be there, or in the place of the last, unless matrices fit, `store(batch, m, n,
 * sum)`; results of part s begin with s * batch.
 */
export function halvesMatrix(
  product: HalvesProduct,
  tile: MapTile,
  matrix: MatrixSizes,
): { readonly code: string; readonly features: readonly Feature[] } {
  const { m, n, k, split, batch, fits } = product;
  const { tileM, tileN, eachM, eachN, slice } = tile;
  const plan = halvesPlan(tile, matrix, fits);
  const { subgroups, across, size, stride, loads } = plan;
  const eights = slice / LOAD;
  const slices = k / slice;
  const perPart = Math.ceil(slices / split);
  const [lefts, rights] = [range(loads.left), range(loads.right)];
  const sums = range(eachM / matrix.m).flatMap((r) =>
    range(eachN / matrix.n).map((c): Place => [r, c]),
  );
  const place = (j: number): string => `(lane + ${j * size}u)`;
  const to = (j: number): string =>
    `${place(j)} / ${eights}u * ${stride}u + ${place(j)} % ${eights}u`;
  const code = `${matrixTypes(matrix)}
var<workgroup> left: array<vec4u, ${tileM * stride}>; // eight halves each
var<workgroup> right: array<vec4u, ${tileN * stride}>;
${fits ? '' : `var<workgroup> sums: array<f32, ${subgroups * matrix.m * matrix.n}>;`}
${fits ? '' : drain({ m, n }, tile, matrix, plan)}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, ${SUBGROUP_ID}) {
  let batch = group.z % ${batch}u;
  let row = subgroup / ${across}u * ${eachM}u;
  let column = subgroup % ${across}u * ${eachN}u;
  ${lefts
    .map(
      (j) =>
        `let left${j} = filter_at(batch, min(group.y * ${tileM}u + ${place(j)} / ${eights}u, ${m - 1}u)) + ${place(j)} % ${eights}u;`,
    )
    .join('\n  ')}
  ${rights
    .map(
      (j) =>
        `let right${j} = pixel_at(batch, min(group.x * ${tileN}u + ${place(j)} / ${eights}u, ${n - 1}u)) + ${place(j)} % ${eights}u;`,
    )
    .join('\n  ')}
  let first = group.z / ${batch}u * ${perPart}u;
  let end = min(first + ${perPart}u, ${slices}u);
  var k = min(first, ${slices - 1}u) * ${eights}u;
  var start = tap_at(k);
  ${lefts.map((j) => `var a${j} = weight[left${j} + k];`).join('\n  ')}
  ${rights.map((j) => `var b${j} = x[right${j} + start];`).join('\n  ')}
  ${sums.map(([r, c]) => `var sum${r}_${c}: Sum;`).join(' ')}
  ${fits ? begin(product, tile, matrix, plan, sums) : ''}
  for (var s = first; s < end; s++) {
    ${lefts.map((j) => `left[${to(j)}] = a${j};`).join('\n    ')}
    ${rights.map((j) => `right[${to(j)}] = b${j};`).join('\n    ')}
    workgroupBarrier();
    k = min(s + 1u, end - 1u) * ${eights}u;
    start = tap_at(k);
    ${lefts.map((j) => `a${j} = weight[left${j} + k];`).join('\n    ')}
    ${rights.map((j) => `b${j} = x[right${j} + start];`).join('\n    ')}
    ${multiply(tile, matrix, plan)}
    workgroupBarrier();
  }
  ${
    fits
      ? eachInside(product, tile, matrix, plan, sums, (sum, at) =>
          storeSumTo('out', at, sum, product.plane),
        )
      : handOn(sums, matrix, subgroups)
  }
}`;
  return { code, features: ['shader-f16', 'subgroups', MATRIX_FEATURE] };
}

/** Multiplies a slice. */
function multiply(
  { eachM, eachN, slice }: MapTile,
  { m, n, k }: MatrixSizes,
  { subgroups, stride }: HalvesPlan,
): string {
  const [rows, columns] = [range(eachM / m), range(eachN / n)];
  const a = (r: number): string => loadLeftRows(`(row + ${r * m}u) * ${stride}u + depth`, stride);
  const b = (c: number): string =>
    loadRightColumns(`(column + ${c * n}u) * ${stride}u + depth`, stride);
  const add = (r: number, c: number): string =>
    `sum${r}_${c} = ${multiplyAdd(`a_${r}`, `b_${c}`, `sum${r}_${c}`)};`;
  return `if (subgroup < ${subgroups}u) {
      for (var depth = 0u; depth < ${slice / LOAD}u; depth += ${k / LOAD}u) {
        ${rows.map((r) => `let a_${r} = ${a(r)};`).join('\n        ')}
        ${columns
          .map((c) => [`let b_${c} = ${b(c)};`, ...rows.map((r) => add(r, c))].join('\n        '))
          .join('\n        ')}
      }
    }`;
}

/** Statements about each matrix that is inside of the result, at its place there. */
function eachInside(
  { m, n }: HalvesProduct,
  { tileM, tileN }: MapTile,
  matrix: MatrixSizes,
  { subgroups }: HalvesPlan,
  sums: readonly Place[],
  statement: (sum: string, at: string) => string,
): string {
  const isInside = ([r, c]: Place): string =>
    [
      ...(m % tileM === 0 ? [] : [`line + ${r * matrix.m}u < ${m}u`]),
      ...(n % tileN === 0 ? [] : [`pixel + ${c * matrix.n}u < ${n}u`]),
    ].join(' && ') || 'true';
  const at = ([r, c]: Place): string =>
    `place_of(group.z, line + ${r * matrix.m}u, pixel + ${c * matrix.n}u)`;
  const all = sums.map(
    (place) => `if (${isInside(place)}) { ${statement(`sum${place[0]}_${place[1]}`, at(place))}; }`,
  );
  return `if (subgroup < ${subgroups}u) {
    let line = group.y * ${tileM}u + row;
    let pixel = group.x * ${tileN}u + column;
    ${all.join('\n    ')}
  }`;
}

/**
 * What sums begin with: the residual, then the bias, as a product with ones. Each of its values is two
 * halves, the second what is left of it: 21 bits together.
 */
function begin(
  product: HalvesProduct,
  tile: MapTile,
  matrix: MatrixSizes,
  plan: HalvesPlan,
  sums: readonly Place[],
): string {
  const { m, plane, bias, residual } = product;
  const { tileM, eachM } = tile;
  const { subgroups, size, stride } = plan;
  const eights = matrix.k / LOAD;
  const load = (sum: string, at: string): string => `${sum} = ${loadSum('residual', at, plane)}`;
  const added = range(eachM / matrix.m).flatMap((r) => [
    `let bias${r} = ${loadLeftRows(`(row + ${r * matrix.m}u) * ${stride}u`, stride)};`,
    ...sums
      .filter(([of]) => of === r)
      .map(([, c]) => `sum${r}_${c} = ${multiplyAdd(`bias${r}`, 'ones', `sum${r}_${c}`)};`),
  ]);
  return `${residual ? eachInside(product, tile, matrix, plan, sums, load) : ''}
${
  bias
    ? `  for (var i = lane; i < ${tileM * eights}u; i += ${size}u) {
    var eight = vec4u();
    if (i % ${eights}u == 0u) {
      let value = bias[min(group.y * ${tileM}u + i / ${eights}u, ${m - 1}u)];
      let half = unpack2x16float(pack2x16float(vec2f(value, 0.0))).x;
      eight.x = pack2x16float(vec2f(value, value - half));
    }
    left[i / ${eights}u * ${stride}u + i % ${eights}u] = eight;
  }
  workgroupBarrier();
  if (subgroup < ${subgroups}u) {
    let ones = ${rightOfOnes(matrix)};
    ${added.join('\n    ')}
  }
  workgroupBarrier();`
    : ''
}`;
}
