/**
 * The loop of a convolution of halves by matrices of subgroups. Both operands are lines along k, of which
 * an invocation brings eight halves at once; those of the next slice are on their way while this one is
 * multiplied.
 */
import { type Feature, MATRIX_FEATURE, type MatrixConfig, range } from '../kernel.ts';
import type { MapTile } from '../product/map-tile.ts';
import {
  loadLeftRows,
  loadRightColumns,
  matrixTypes,
  multiplyAdd,
  SUBGROUP_ID,
  storeSum,
} from '../product/matrix-ops.ts';
import { drain } from '../product/matrix-product.ts';
import { type HalvesPlan, halvesPlan, LOAD } from './halves-tile.ts';

/** Sizes of the product; k in halves. */
export interface HalvesProduct {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly split: number;
  readonly images: number;
}

/**
 * The text. `pixel_at(image, n)` and `tap_at(k)`, of which the sum is a place in `x`, must be there, and
 * `store(batch, m, n, sum)`; batches of part s begin with s * images.
 */
export function halvesMatrix(
  { m, n, k, split, images }: HalvesProduct,
  tile: MapTile,
  matrix: MatrixConfig,
): { readonly code: string; readonly features: readonly Feature[] } {
  const { tileM, tileN, eachM, eachN, slice } = tile;
  const plan = halvesPlan(tile, matrix);
  const { subgroups, across, size, stride, loads } = plan;
  const eights = slice / LOAD;
  const slices = k / slice;
  const perPart = Math.ceil(slices / split);
  const [lefts, rights] = [range(loads.left), range(loads.right)];
  const sums = range(eachM / matrix.m).flatMap((r) =>
    range(eachN / matrix.n).map((c) => [r, c] as const),
  );
  const place = (j: number): string => `(lane + ${j * size}u)`;
  const to = (j: number): string =>
    `${place(j)} / ${eights}u * ${stride}u + ${place(j)} % ${eights}u * ${LOAD}u`;
  const handOn = ([r, c]: readonly [r: number, c: number]): string =>
    `if (subgroup < ${subgroups}u) {
    ${storeSum(`subgroup * ${matrix.m * matrix.n}u`, `sum${r}_${c}`, matrix)};
  }
  workgroupBarrier();
  drain(group, lane, ${r * matrix.m}u, ${c * matrix.n}u);`;
  const code = `${matrixTypes(matrix)}
var<workgroup> left: array<f16, ${tileM * stride}>;
var<workgroup> right: array<f16, ${tileN * stride}>;
var<workgroup> sums: array<f32, ${subgroups * matrix.m * matrix.n}>;
${put('left')}
${put('right')}
${drain({ m, n }, tile, matrix, plan)}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, ${SUBGROUP_ID}) {
  let image = group.z % ${images}u;
  let row = subgroup / ${across}u * ${eachM}u;
  let column = subgroup % ${across}u * ${eachN}u;
  ${lefts
    .map(
      (j) =>
        `let left${j} = min(group.y * ${tileM}u + ${place(j)} / ${eights}u, ${m - 1}u) * ${k / LOAD}u + ${place(j)} % ${eights}u;`,
    )
    .join('\n  ')}
  ${rights
    .map(
      (j) =>
        `let right${j} = pixel_at(image, min(group.x * ${tileN}u + ${place(j)} / ${eights}u, ${n - 1}u)) + ${place(j)} % ${eights}u;`,
    )
    .join('\n  ')}
  ${sums.map(([r, c]) => `var sum${r}_${c}: Sum;`).join(' ')}
  let first = group.z / ${images}u * ${perPart}u;
  let end = min(first + ${perPart}u, ${slices}u);
  var k = min(first, ${slices - 1}u) * ${eights}u;
  var start = tap_at(k);
  ${lefts.map((j) => `var a${j} = weight[left${j} + k];`).join('\n  ')}
  ${rights.map((j) => `var b${j} = x[right${j} + start];`).join('\n  ')}
  for (var s = first; s < end; s++) {
    ${lefts.map((j) => `put_left(${to(j)}, a${j});`).join('\n    ')}
    ${rights.map((j) => `put_right(${to(j)}, b${j});`).join('\n    ')}
    workgroupBarrier();
    k = min(s + 1u, end - 1u) * ${eights}u;
    start = tap_at(k);
    ${lefts.map((j) => `a${j} = weight[left${j} + k];`).join('\n    ')}
    ${rights.map((j) => `b${j} = x[right${j} + start];`).join('\n    ')}
    ${multiply(tile, matrix, plan)}
    workgroupBarrier();
  }
  ${sums.map(handOn).join('\n  workgroupBarrier();\n  ')}
}`;
  return { code, features: ['shader-f16', 'subgroups', MATRIX_FEATURE] };
}

/** Puts eight halves side by side. */
const put = (side: 'left' | 'right'): string => `
fn put_${side}(to: u32, eight: vec4u) {
  ${range(LOAD / 2)
    .map(
      (i) => `let two${i} = bitcast<vec2<f16>>(eight[${i}]);
  ${side}[to + ${2 * i}u] = two${i}.x;
  ${side}[to + ${2 * i + 1}u] = two${i}.y;`,
    )
    .join('\n  ')}
}`;

/** Multiplies a slice. */
function multiply(
  { eachM, eachN, slice }: MapTile,
  { m, n, k }: MatrixConfig,
  { subgroups, stride }: HalvesPlan,
): string {
  const [rows, columns] = [range(eachM / m), range(eachN / n)];
  const a = (r: number): string => loadLeftRows(`(row + ${r * m}u) * ${stride}u + depth`, stride);
  const b = (c: number): string =>
    loadRightColumns(`(column + ${c * n}u) * ${stride}u + depth`, stride);
  const add = (r: number, c: number): string =>
    `sum${r}_${c} = ${multiplyAdd(`a_${r}`, `b_${c}`, `sum${r}_${c}`)};`;
  return `if (subgroup < ${subgroups}u) {
      for (var depth = 0u; depth < ${slice}u; depth += ${k}u) {
        ${rows.map((r) => `let a_${r} = ${a(r)};`).join('\n        ')}
        ${columns
          .map((c) => [`let b_${c} = ${b(c)};`, ...rows.map((r) => add(r, c))].join('\n        '))
          .join('\n        ')}
      }
    }`;
}
