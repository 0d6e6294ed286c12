/**
 * The product of feature maps for hardware adapters: a workgroup makes a tile of outputs from slices
 * of both operands in workgroup memory, each invocation a smaller tile in registers.
 */
import {
  assert,
  ceilDiv,
  MAX_WORKGROUP_BYTES,
  MAX_WORKGROUPS,
  range,
  type Variant,
} from '../kernel.ts';
import type { Loop } from './map-product.ts';

/** Tile sizes; each invocation makes `eachM` x `eachN` outputs, four columns at a time. */
export interface MapTile {
  readonly tileM: number;
  readonly tileN: number;
  readonly eachM: number;
  readonly eachN: number;
  /** Depth of the slices. */
  readonly slice: number;
  readonly [setting: string]: number | string | boolean;
}

export const MAP_TILE: MapTile = { tileM: 64, tileN: 64, eachM: 4, eachN: 4, slice: 16 };

/** Settings of a tile, by name. */
export const MAP_SETTINGS: readonly string[] = ['tileM', 'tileN', 'eachM', 'eachN', 'slice'];

/** Tiles worth measuring; for few rows or columns some are wasteful, none is wrong. */
export const MAP_TILES: readonly MapTile[] = [
  MAP_TILE,
  { tileM: 64, tileN: 128, eachM: 4, eachN: 8, slice: 16 },
  { tileM: 128, tileN: 64, eachM: 8, eachN: 4, slice: 16 },
  { tileM: 128, tileN: 128, eachM: 8, eachN: 8, slice: 16 },
  { tileM: 32, tileN: 64, eachM: 4, eachN: 4, slice: 16 },
  { tileM: 64, tileN: 64, eachM: 8, eachN: 4, slice: 8 },
];

/** Tiles worth measuring for products of maps on a device. */
export const mapTiles = ({ reduce }: Variant): readonly MapTile[] =>
  reduce === 'serial' ? [] : MAP_TILES;

export interface TiledParams {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Neighbouring elements of an operand: along its lines or along k. Decides who loads what. */
  readonly left: { readonly k: number };
  readonly right: { readonly k: number };
  /** Parts of k, each summed on its own and stored as a batch of its own. Default 1. */
  readonly split?: number;
}

/**
 * The loop.
 * @param readers WGSL `fn left_at(batch: u32, k: u32, line: u32) -> f32` and `right_at`, which are
 * called with a line and a k inside the product only. `store(batch, m, n, sum)` must be there too; with
 * `split`, batches of part s begin with s * batch.
 */
export function tiledLoop(params: TiledParams, readers: string, tile: MapTile): Loop {
  const { batch, m, n, k, left, right, split = 1 } = params;
  const { tileM, tileN, eachM, eachN, slice } = tile;
  const size = (tileM / eachM) * (tileN / eachN);
  const columns = tileN / eachN;
  const bytes = 4 * slice * (tileM + tileN);
  assert(
    [eachM, eachN, slice].every((v) => Number.isInteger(v) && v > 0 && v % 4 === 0) &&
      Number.isInteger(size) &&
      tileM % eachM === 0 &&
      tileN % eachN === 0 &&
      size <= 256 &&
      (slice * tileM) % (4 * size) === 0 &&
      (slice * tileN) % (4 * size) === 0 &&
      bytes <= MAX_WORKGROUP_BYTES,
    `map product: tile ${JSON.stringify(tile)} has ${size} invocations and ${bytes} bytes, at most 256 and ${MAX_WORKGROUP_BYTES}`,
  );
  // Whole slices, so that the parts of k differ by at most one.
  const slices = ceilDiv(k, slice);
  const perPart = ceilDiv(slices, split);
  const workgroups = [ceilDiv(n, tileN), ceilDiv(m, tileM), batch * split] as const;
  assert(Math.max(...workgroups) <= MAX_WORKGROUPS, `map product: ${m} x ${n} is too large`);
  // Who loads what: four lines at one k, neighbouring invocations at neighbouring addresses. Whole
  // vectors, because storing a component may write the others as well.
  const fill = (side: 'left' | 'right', lines: number, all: number, alongK: boolean): string => {
    const [depth, quad] = alongK
      ? [`i % ${slice}u`, `i / ${slice}u`]
      : [`i / ${lines / 4}u`, `i % ${lines / 4}u`];
    const last = `${all - 1}u`;
    const values = range(4).map(
      (c) =>
        `select(0.0, ${side}_at(batch, at, min(line + ${c}u, ${last})), k < ${k}u && line + ${c}u <= ${last})`,
    );
    return `for (var i = lane; i < ${(slice * lines) / 4}u; i += ${size}u) {
      let depth = ${depth};
      let quad = ${quad};
      let k = first + depth;
      let at = min(k, ${k - 1}u);
      let line = group.${side === 'left' ? 'y' : 'x'} * ${lines}u + quad * 4u;
      ${side}[depth * ${lines / 4}u + quad] = vec4f(
        ${values.join(',\n        ')});
    }`;
  };
  const rows = range(eachM);
  const quads = range(eachN / 4);
  const sum = (r: number, q: number): string => `sum${r}_${q}`;
  const code = `
${readers}
var<workgroup> left: array<vec4f, ${(slice * tileM) / 4}>;
var<workgroup> right: array<vec4f, ${(slice * tileN) / 4}>;

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let batch = group.z % ${batch}u;
  let part = group.z / ${batch}u;
  let column = lane % ${columns}u;
  let row = lane / ${columns}u;
  ${rows.flatMap((r) => quads.map((q) => `var ${sum(r, q)} = vec4f();`)).join(' ')}
  let begin = part * ${perPart * slice}u;
  for (var s = 0u; s < ${perPart}u; s++) {
    let first = begin + s * ${slice}u;
    ${fill('left', tileM, m, left.k === 1)}
    ${fill('right', tileN, n, right.k === 1)}
    workgroupBarrier();
    for (var depth = 0u; depth < ${slice}u; depth++) {
      ${range(eachM / 4)
        .map((i) => `let a${i} = left[depth * ${tileM / 4}u + row * ${eachM / 4}u + ${i}u];`)
        .join('\n      ')}
      ${quads
        .map((q) => `let b${q} = right[depth * ${tileN / 4}u + column + ${q * columns}u];`)
        .join('\n      ')}
      ${rows
        .flatMap((r) => quads.map((q) => `${sum(r, q)} += a${r >> 2}[${r % 4}] * b${q};`))
        .join('\n      ')}
    }
    workgroupBarrier();
  }
  let first_m = group.y * ${tileM}u + row * ${eachM}u;
  let first_n = group.x * ${tileN}u + column * 4u;
  for (var c = 0u; c < 4u; c++) {
    ${rows
      .flatMap((r) =>
        quads.map(
          (q) =>
            `if (first_m + ${r}u < ${m}u && first_n + ${4 * columns * q}u + c < ${n}u) { store(group.z, first_m + ${r}u, first_n + ${4 * columns * q}u + c, ${sum(r, q)}[c]); }`,
        ),
      )
      .join('\n    ')}
  }
}`;
  return { code, workgroups, features: [] };
}
