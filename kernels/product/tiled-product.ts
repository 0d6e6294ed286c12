/**
 * The product of feature maps for hardware adapters: a workgroup makes a tile of outputs from slices
 * of both operands in workgroup memory, each invocation a smaller tile in registers, or each subgroup
 * one of matrices (matrix-product.ts).
 */
import { assert, ceilDiv, MAX_WORKGROUPS, PORTABLE, range, type Variant } from '../kernel.ts';
import type { Loop } from './map-product.ts';
import { lanesOf, type MapTile, mapProblem, matrixOf } from './map-tile.ts';
import { matrixMain } from './matrix-product.ts';
import { overSlices, type TiledParams } from './slices.ts';

/**
 * The loop.
 * @param readers WGSL `fn left_at(batch: u32, k: u32, line: u32) -> f32` and `right_at`, which are
 * called with a line and a k inside the product only. `store(batch, m, n, sum)` must be there too; with
 * `split`, batches of part s begin with s * batch.
 */
export function tiledLoop(
  params: TiledParams,
  readers: string,
  tile: MapTile,
  variant: Variant = PORTABLE,
): Loop {
  const { batch, m, n, split = 1 } = params;
  const workgroups = [ceilDiv(n, tile.tileN), ceilDiv(m, tile.tileM), batch * split] as const;
  assert(Math.max(...workgroups) <= MAX_WORKGROUPS, `map product: ${m} x ${n} is too large`);
  const problem = mapProblem(tile, variant);
  assert(problem === undefined, `map product: ${problem}`);
  const matrix = matrixOf(tile, variant);
  const { code, features } = matrix ? matrixMain(params, tile, matrix) : laneMain(params, tile);
  return { code: `${readers}\n${code}`, workgroups, features };
}

/** Each invocation makes eachM rows of quads of columns, which lie a stride apart. */
function laneMain(params: TiledParams, tile: MapTile): Omit<Loop, 'workgroups'> {
  const { m, n } = params;
  const { tileM, tileN, eachM, eachN, slice, math } = tile;
  const half = math === 'f16';
  const size = lanesOf(tile);
  const columns = tileN / eachN;
  const rows = range(eachM);
  const quads = range(eachN / 4);
  const sum = (r: number, q: number): string => `sum${r}_${q}`;
  const type = half ? 'vec4<f16>' : 'vec4f';
  // Whole vectors, because storing a component may write the others as well.
  const put = (side: string, lines: number): string =>
    `${side}[depth * ${lines / 4}u + quad] = ${half ? `${type}(value)` : 'value'};`;
  const read = (from: string): string => (half ? `vec4f(${from})` : from);
  const a = (i: number): string =>
    read(`left[depth * ${tileM / 4}u + row * ${eachM / 4}u + ${i}u]`);
  const b = (q: number): string => read(`right[depth * ${tileN / 4}u + column + ${q * columns}u]`);
  const each = (text: (r: number, q: number) => string, between: string): string =>
    rows.flatMap((r) => quads.map((q) => text(r, q))).join(between);
  const multiply = `for (var depth = 0u; depth < ${slice}u; depth++) {
      ${lines(range(eachM / 4).map((i) => `let a${i} = ${a(i)};`))}
      ${lines(quads.map((q) => `let b${q} = ${b(q)};`))}
      ${each((r, q) => `${sum(r, q)} += a${r >> 2}[${r % 4}] * b${q};`, '\n      ')}
    }`;
  const stored = (r: number, q: number): string =>
    `if (first_m + ${r}u < ${m}u && first_n + ${4 * columns * q}u + c < ${n}u) { store(group.z, first_m + ${r}u, first_n + ${4 * columns * q}u + c, ${sum(r, q)}[c]); }`;
  const code = `var<workgroup> left: array<${type}, ${(slice * tileM) / 4}>;
var<workgroup> right: array<${type}, ${(slice * tileN) / 4}>;

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = lane % ${columns}u;
  let row = lane / ${columns}u;
  ${each((r, q) => `var ${sum(r, q)} = vec4f();`, ' ')}
  ${overSlices(params, { tileM, tileN, slice, size }, put, multiply)}
  let first_m = group.y * ${tileM}u + row * ${eachM}u;
  let first_n = group.x * ${tileN}u + column * 4u;
  for (var c = 0u; c < 4u; c++) {
    ${each(stored, '\n    ')}
  }
}`;
  return { code, features: half ? ['shader-f16'] : [] };
}

const lines = (all: readonly string[]): string => all.join('\n      ');
