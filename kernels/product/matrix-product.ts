/**
 * The tiled product by matrices of subgroups: each subgroup makes eachM x eachN outputs from slices in
 * workgroup memory, and hands its sums on through workgroup memory, a matrix at a time.
 */
import { type Feature, MATRIX_FEATURE, type MatrixSizes, range } from '../kernel.ts';
import type { Loop } from './map-product.ts';
import { type MapTile, type MatrixPlan, matrixPlan } from './map-tile.ts';
import {
  loadLeft,
  loadRight,
  matrixTypes,
  multiplyAdd,
  SUBGROUP_ID,
  storeSum,
} from './matrix-ops.ts';
import { fillLib, overSlices, type TiledParams } from './slices.ts';

/** The text of a workgroup. */
export function matrixMain(
  params: TiledParams,
  tile: MapTile,
  matrix: MatrixSizes,
): Omit<Loop, 'workgroups'> {
  const { eachM, eachN, slice } = tile;
  const { m, n, operand } = matrix;
  const plan = matrixPlan(tile, matrix);
  const { subgroups, across, size, strides } = plan;
  const sums = range(eachM / m).flatMap((r) => range(eachN / n).map((c): Place => [r, c]));
  // Single elements: in an array of vectors, offsets and strides would count vectors.
  const put = (side: 'left' | 'right'): string =>
    `let to = depth * ${strides[side]}u + quad * 4u;
      ${range(4)
        .map((c) => `${side}[to + ${c}u] = ${operand}(value[${c}]);`)
        .join(' ')}`;
  const code = `${matrixTypes(matrix)}
var<workgroup> left: array<${operand}, ${slice * strides.left}>;
var<workgroup> right: array<${operand}, ${slice * strides.right}>;
var<workgroup> sums: array<f32, ${subgroups * m * n}>;
${fillLib(params, { ...tile, size }, put)}
${drain(params, tile, matrix, plan)}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, ${SUBGROUP_ID}) {
  let row = subgroup / ${across}u * ${eachM}u;
  let column = subgroup % ${across}u * ${eachN}u;
  ${sums.map(([r, c]) => `var sum${r}_${c}: Sum;`).join(' ')}
  ${overSlices(params, { ...tile, size }, multiply(tile, matrix, plan))}
  ${handOn(sums, matrix, subgroups)}
}`;
  const half: readonly Feature[] = operand === 'f16' ? ['shader-f16'] : [];
  return { code, features: [...half, 'subgroups', MATRIX_FEATURE] };
}

/** Multiplies a slice. */
function multiply(
  { eachM, eachN, slice }: MapTile,
  { m, n, k }: MatrixSizes,
  { subgroups, strides: { left, right } }: MatrixPlan,
): string {
  const rows = range(eachM / m);
  const columns = range(eachN / n);
  const a = (r: number): string => loadLeft(`depth * ${left}u + row + ${r * m}u`, left);
  const b = (c: number): string => loadRight(`depth * ${right}u + column + ${c * n}u`, right);
  const add = (r: number, c: number): string =>
    `sum${r}_${c} = ${multiplyAdd(`a${r}`, `b${c}`, `sum${r}_${c}`)};`;
  return `if (subgroup < ${subgroups}u) {
      for (var depth = 0u; depth < ${slice}u; depth += ${k}u) {
        ${rows.map((r) => `let a${r} = ${a(r)};`).join('\n        ')}
        ${columns
          .map((c) => [`let b${c} = ${b(c)};`, ...rows.map((r) => add(r, c))].join('\n        '))
          .join('\n        ')}
      }
    }`;
}

/** A matrix of a subgroup's tile, by its place there. */
export type Place = readonly [r: number, c: number];

/** Hands sums on, a matrix of each subgroup at a time. */
export const handOn = (sums: readonly Place[], matrix: MatrixSizes, subgroups: number): string =>
  sums
    .map(
      ([r, c]) => `if (subgroup < ${subgroups}u) {
    ${storeSum(`subgroup * ${matrix.m * matrix.n}u`, `sum${r}_${c}`, matrix)};
  }
  workgroupBarrier();
  drain(group, lane, ${r * matrix.m}u, ${c * matrix.n}u);`,
    )
    .join('\n  workgroupBarrier();\n  ');

/** Stores a matrix of each subgroup, `below` and `beside` the first of those it made. */
export function drain(
  { m, n }: Pick<TiledParams, 'm' | 'n'>,
  { tileM, tileN, eachM, eachN }: MapTile,
  matrix: MatrixSizes,
  { subgroups, across, size }: Omit<MatrixPlan, 'strides'>,
): string {
  const count = matrix.m * matrix.n;
  return `fn drain(group: vec3u, lane: u32, below: u32, beside: u32) {
  for (var i = lane; i < ${subgroups * count}u; i += ${size}u) {
    let owner = i / ${count}u;
    let at = i % ${count}u;
    let line = group.y * ${tileM}u + owner / ${across}u * ${eachM}u + below + at / ${matrix.n}u;
    let column = group.x * ${tileN}u + owner % ${across}u * ${eachN}u + beside + at % ${matrix.n}u;
    if (line < ${m}u && column < ${n}u) { store(group.z, line, column, sums[i]); }
  }
}`;
}
