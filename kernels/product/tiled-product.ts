/**
 * The product of many lines with many lines, for hardware adapters: convolutions, feature maps, many rows
 * with a weight. A workgroup makes a tile of outputs from slices of both operands in workgroup memory, each
 * invocation a smaller tile in registers, or each subgroup one of matrices (matrix-product.ts).
 */
import { assert, assertGrid, ceilDiv, PORTABLE, range, type Variant } from '../kernel.ts';
import type { Loop } from './map-product.ts';
import { lanesOf, type MapTile, mapProblem, matrixOf } from './map-tile.ts';
import { depths, fillLib, overSlices, type Put, type TiledParams } from './slices.ts';

/**
 * The loop.
 * @param readers WGSL `fn left_at(batch: u32, k: u32, line: u32) -> f32` and `right_at`, which are
 * called with a line and a k inside the product only. `store(batch, m, n, sum)` must be there too; with
 * `split`, batches of part s begin with s * batch. With `fours` readers give values 4k .. 4k+3 of a line, a
 * vec4f, and `store(batch, m, i, sums)` is given columns 4i .. 4i+3; those past the last hold garbage.
 */
export function tiledLoop(
  params: TiledParams,
  readers: string,
  tile: MapTile,
  variant: Variant = PORTABLE,
): Loop {
  const { name } = params;
  const workgroups = mapGrid(params, tile);
  const problem = mapProblem(tile, variant);
  assert(problem === undefined, `${name}: ${problem}`);
  assert(!params.fours || tile.math === 'f32', `${name}: fours are multiplied as f32`);
  const matrix = matrixOf(tile, variant);
  const { code, features } = matrix
    ? matrix.texts.tiled(params, tile, matrix)
    : laneMain(params, tile);
  return { code: `${readers}\n${code}`, workgroups, features };
}

/** A workgroup for each tile of each part of each batch. */
export const mapGrid = (
  { name, batch, m, n, split = 1 }: Pick<TiledParams, 'name' | 'batch' | 'm' | 'n' | 'split'>,
  { tileM, tileN }: MapTile,
): Loop['workgroups'] =>
  assertGrid(`${name}: ${m} x ${n}`, [ceilDiv(n, tileN), ceilDiv(m, tileM), batch * split]);

/** Each invocation makes eachM rows of quads of columns, which lie a stride apart. */
function laneMain(params: TiledParams, tile: MapTile): Omit<Loop, 'workgroups'> {
  const { m, n, fours = false } = params;
  const { tileM, tileN, eachM, eachN, slice, math } = tile;
  const half = math === 'f16';
  const size = lanesOf(tile);
  const sizes = { tileM, tileN, slice, size };
  const columns = tileN / eachN;
  const type = half ? 'vec4<f16>' : 'vec4f';
  const sums = range(eachM).flatMap((r) => range(eachN / 4).map((q) => ({ r, q })));
  const step = { ...tile, half, columns, depths: depths(params, tile)[1] };
  const { put, loads, add } = fours ? fourSteps(step) : lineSteps(step);
  const multiply = `for (var depth = 0u; depth < ${step.depths}u; depth++) {
      ${lines([...loads, ...sums.map(({ r, q }) => `sum${r}_${q} += ${add(r, q)};`)])}
    }`;
  const stored = fours
    ? sums.map(
        ({ r, q }) => `if (first_m + ${r}u < ${m}u && first_n + ${4 * columns * q}u < ${n}u) {
    store(group.z, first_m + ${r}u, first_n / 4u + ${columns * q}u, sum${r}_${q});
  }`,
      )
    : [
        'for (var c = 0u; c < 4u; c++) {',
        ...sums.map(({ r, q }) => {
          const column = `first_n + ${4 * columns * q}u + c`;
          return `  if (first_m + ${r}u < ${m}u && ${column} < ${n}u) { store(group.z, first_m + ${r}u, ${column}, sum${r}_${q}[c]); }`;
        }),
        '}',
      ];
  const code = `var<workgroup> left: array<${type}, ${(slice * tileM) / 4}>;
var<workgroup> right: array<${type}, ${(slice * tileN) / 4}>;
${fillLib(params, sizes, put)}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = lane % ${columns}u;
  let row = lane / ${columns}u;
  ${sums.map(({ r, q }) => `var sum${r}_${q} = vec4f();`).join('\n  ')}
  ${overSlices(params, sizes, multiply)}
  let first_m = group.y * ${tileM}u + row * ${eachM}u;
  let first_n = group.x * ${tileN}u + column * 4u;
  ${stored.join('\n  ')}
}`;
  return { code, features: half ? ['shader-f16'] : [] };
}

interface Step extends MapTile {
  /** Whether slices hold halves. */
  readonly half: boolean;
  /** Invocations that share the columns of a tile. */
  readonly columns: number;
  /** Depth of a slice in what is read at once. */
  readonly depths: number;
}

/** How a slice is stored, what an invocation loads of it, and what it adds to sum r, q. */
interface Steps {
  readonly put: Put;
  readonly loads: readonly string[];
  readonly add: (r: number, q: number) => string;
}

/** Slices of single values: vectors of four lines. */
function lineSteps({ tileM, tileN, eachM, eachN, half, columns }: Step): Steps {
  const read = (from: string): string => (half ? `vec4f(${from})` : from);
  const a = (i: number): string => `left[depth * ${tileM / 4}u + row * ${eachM / 4}u + ${i}u]`;
  const b = (q: number): string => `right[depth * ${tileN / 4}u + column + ${q * columns}u]`;
  return {
    // Whole vectors, because storing a component may write the others as well.
    put: (side, count) =>
      `${side}[depth * ${count / 4}u + quad] = ${half ? 'vec4<f16>(value)' : 'value'};`,
    loads: [
      ...range(eachM / 4).map((i) => `let a${i} = ${read(a(i))};`),
      ...range(eachN / 4).map((q) => `let b${q} = ${read(b(q))};`),
    ],
    add: (r, q) => `a${r >> 2}[${r % 4}] * b${q}`,
  };
}

/** Slices of four values of a line at once, line by line. */
function fourSteps({ eachM, eachN, columns, depths }: Step): Steps {
  const b = (c: number): string => `(column + ${(c >> 2) * columns}u) * 4u + ${c % 4}u`;
  return {
    put: (side) => `${side}[i] = value;`,
    loads: [
      ...range(eachN).map((c) => `let b${c} = right[(${b(c)}) * ${depths}u + depth];`),
      ...range(eachM).map(
        (r) => `let a${r} = left[(row * ${eachM}u + ${r}u) * ${depths}u + depth];`,
      ),
    ],
    add: (r, q) =>
      `vec4f(${range(4)
        .map((c) => `dot(a${r}, b${4 * q + c})`)
        .join(', ')})`,
  };
}

const lines = (all: readonly string[]): string => all.join('\n      ');
