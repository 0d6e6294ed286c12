/**
 * Winograd's minimal filtering F(4x4, 3x3): Y = A^T [(G g G^T) * (B^T d B)] A makes 4x4 outputs from
 * 6x6 inputs d and a 3x3 filter g with 36 products. The matrices come from the points 0, +-2/3, +-3/2
 * and infinity, whose errors in f32 are a third of those of 0, +-1, +-2.
 * Source: Lavin and Gray 2016 (arXiv:1509.09308); on points, Barabasz et al. 2020 (arXiv:1803.10986).
 */
import { byteLength } from '../cost.ts';
import { assert, assertSizes, type Binding, ceilDiv, range } from '../kernel.ts';

/** Outputs of a tile along each side. */
export const WINOGRAD_TILE = 4;
/** Inputs of a tile along each side, and products. */
export const WINOGRAD_SIDE = 6;
export const WINOGRAD_PRODUCTS: number = WINOGRAD_SIDE ** 2;

const P = 2 / 3;
const Q = 3 / 2;
const [P2, Q2] = [P ** 2, Q ** 2];

/** A transform of one row or column: a WGSL function of three values or six to four or six. */
interface LineTransform {
  readonly name: string;
  readonly code: string;
  readonly inputs: 3 | 6;
  readonly outputs: 4 | 6;
}

const num = (value: number): string => `f32(${value})`;

/** Six values in a row. */
const six = `
struct Six { a: vec3f, b: vec3f }`;
const SIX = ['a.x', 'a.y', 'a.z', 'b.x', 'b.y', 'b.z'] as const;
const FOUR = ['x', 'y', 'z', 'w'] as const;

/** B^T; p^2 q^2 is 1. */
export const inputLine: LineTransform = {
  name: 'input_line',
  inputs: 6,
  outputs: 6,
  code: `${six}
fn input_line(a: vec3f, b: vec3f) -> Six {
  let e = b.y - ${num(Q2)} * a.z;
  let o = ${num(P)} * (b.x - ${num(Q2)} * a.y);
  let f = b.y - ${num(P2)} * a.z;
  let p = ${num(Q)} * (b.x - ${num(P2)} * a.y);
  let first = a.x - ${num(P2 + Q2)} * a.z + b.y;
  let last = a.y - ${num(P2 + Q2)} * b.x + b.z;
  return Six(vec3f(first, e + o, e - o), vec3f(f + p, f - p, last));
}`,
};

const [NP, NQ] = [2 * P2 * (P2 - Q2), 2 * Q2 * (Q2 - P2)];

/** G. */
export const filterLine: LineTransform = {
  name: 'filter_line',
  inputs: 3,
  outputs: 6,
  code: `${six}
fn filter_line(g: vec3f) -> Six {
  let e = ${num(1 / NP)} * g.x + ${num(P2 / NP)} * g.z;
  let o = ${num(P / NP)} * g.y;
  let f = ${num(1 / NQ)} * g.x + ${num(Q2 / NQ)} * g.z;
  let p = ${num(Q / NQ)} * g.y;
  return Six(vec3f(g.x, e + o, e - o), vec3f(f + p, f - p, g.z));
}`,
};

/** A^T. */
export const outputLine: LineTransform = {
  name: 'output_line',
  inputs: 6,
  outputs: 4,
  code: `
fn output_line(a: vec3f, b: vec3f) -> vec4f {
  let s = a.y + a.z;
  let d = a.y - a.z;
  let t = b.x + b.y;
  let e = b.x - b.y;
  return vec4f(
    a.x + s + t,
    ${num(P)} * d + ${num(Q)} * e,
    ${num(P2)} * s + ${num(Q2)} * t,
    ${num(P ** 3)} * d + ${num(Q ** 3)} * e + b.z,
  );
}`,
};

/** Value `column` of row `row` of what `squareLines` makes. */
export const ofSquare = ({ outputs }: LineTransform, row: number, column: number): string =>
  `row${row}.${(outputs === 4 ? FOUR : SIX)[column]}`;

/**
 * The transform of a square: of its columns, then of its rows.
 * @param from Expression of the input at a row and a column.
 * @returns Statements that declare `row0` .. , for `ofSquare`.
 */
export function squareLines(
  { name, inputs, outputs }: LineTransform,
  from: (row: number, column: number) => string,
): string {
  const line = (values: readonly string[]): string =>
    range(inputs / 3)
      .map((h) => `vec3f(${values.slice(3 * h, 3 * h + 3).join(', ')})`)
      .join(', ');
  const of = (part: string, i: number): string => `${part}.${(outputs === 4 ? FOUR : SIX)[i]}`;
  return [
    ...range(inputs).map(
      (c) => `let column${c} = ${name}(${line(range(inputs).map((r) => from(r, c)))});`,
    ),
    ...range(outputs).map(
      (r) => `let row${r} = ${name}(${line(range(inputs).map((c) => of(`column${c}`, r)))});`,
    ),
  ].join('\n');
}

/** Where product i of `unit` lies. */
export const productPlace = (i: number): string => `unit + ${i}u * s.units`;

/** Tiles of one part of a layer: they are numbered image by image, row by row. */
export interface TilePart {
  readonly first: number;
  readonly count: number;
}

export interface TileGrid {
  readonly tilesX: number;
  readonly tilesY: number;
  readonly part: TilePart;
}

/**
 * The tiles of maps of outHeight x outWidth, and those of them that a part has; default all.
 * @throws RangeError when they are not some of the tiles.
 */
export function tileGrid(
  name: string,
  images: number,
  outHeight: number,
  outWidth: number,
  part?: TilePart,
): TileGrid {
  const tilesX = ceilDiv(outWidth, WINOGRAD_TILE);
  const tilesY = ceilDiv(outHeight, WINOGRAD_TILE);
  const tiles = images * tilesX * tilesY;
  const { first, count } = part ?? { first: 0, count: tiles };
  assertSizes(name, { tiles: count });
  assert(
    Number.isInteger(first) && first >= 0 && first + count <= tiles,
    `${name}: tiles ${first} .. ${first + count - 1} expected to be some of ${tiles}`,
  );
  return { tilesX, tilesY, part: { first, count } };
}

/** Bytes of a map that belong to a part of its tiles. */
export const share = ({ count }: TilePart, tiles: number, map: Binding): number =>
  Math.round((byteLength(map) * count) / tiles);
