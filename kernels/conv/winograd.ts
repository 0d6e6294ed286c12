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

/** What a transform of one row or column reads and declares. */
type Lines = (out: string, v: readonly string[]) => string;

const num = (value: number): string => `f32(${value})`;

/** B^T: six inputs to `out`0 .. `out`5; p^2 q^2 is 1. */
export const inputLines: Lines = (out, [d0, d1, d2, d3, d4, d5]) => `
  let ${out}e = ${d4} - ${num(Q2)} * ${d2};
  let ${out}o = ${num(P)} * (${d3} - ${num(Q2)} * ${d1});
  let ${out}f = ${d4} - ${num(P2)} * ${d2};
  let ${out}p = ${num(Q)} * (${d3} - ${num(P2)} * ${d1});
  let ${out}0 = ${d0} - ${num(P2 + Q2)} * ${d2} + ${d4};
  let ${out}1 = ${out}e + ${out}o;
  let ${out}2 = ${out}e - ${out}o;
  let ${out}3 = ${out}f + ${out}p;
  let ${out}4 = ${out}f - ${out}p;
  let ${out}5 = ${d1} - ${num(P2 + Q2)} * ${d3} + ${d5};`;

/** G: three weights to `out`0 .. `out`5. */
export const filterLines: Lines = (out, [g0, g1, g2]) => {
  const [np, nq] = [2 * P2 * (P2 - Q2), 2 * Q2 * (Q2 - P2)];
  return `
  let ${out}e = ${num(1 / np)} * ${g0} + ${num(P2 / np)} * ${g2};
  let ${out}o = ${num(P / np)} * ${g1};
  let ${out}f = ${num(1 / nq)} * ${g0} + ${num(Q2 / nq)} * ${g2};
  let ${out}p = ${num(Q / nq)} * ${g1};
  let ${out}0 = ${g0};
  let ${out}1 = ${out}e + ${out}o;
  let ${out}2 = ${out}e - ${out}o;
  let ${out}3 = ${out}f + ${out}p;
  let ${out}4 = ${out}f - ${out}p;
  let ${out}5 = ${g2};`;
};

/** A^T: six products to `out`0 .. `out`3. */
export const outputLines: Lines = (out, [m0, m1, m2, m3, m4, m5]) => `
  let ${out}s = ${m1} + ${m2};
  let ${out}d = ${m1} - ${m2};
  let ${out}t = ${m3} + ${m4};
  let ${out}e = ${m3} - ${m4};
  let ${out}0 = ${m0} + ${out}s + ${out}t;
  let ${out}1 = ${num(P)} * ${out}d + ${num(Q)} * ${out}e;
  let ${out}2 = ${num(P2)} * ${out}s + ${num(Q2)} * ${out}t;
  let ${out}3 = ${num(P ** 3)} * ${out}d + ${num(Q ** 3)} * ${out}e + ${m5};`;

/**
 * A transform of a square: of its columns, then of its rows.
 * @param from Expression of the input at a row and a column.
 * @returns Text that declares `out${row}_${column}`.
 */
export function squareLines(
  lines: Lines,
  inputs: number,
  outputs: number,
  from: (row: number, column: number) => string,
  out: string,
): string {
  const columns = range(inputs).map((c) =>
    lines(
      `${out}c${c}_`,
      range(inputs).map((r) => from(r, c)),
    ),
  );
  const rows = range(outputs).map((r) =>
    lines(
      `${out}${r}_`,
      range(inputs).map((c) => `${out}c${c}_${r}`),
    ),
  );
  return [...columns, ...rows].join('');
}

/** Declares `at0` .. : where the products of `unit` lie, each `s.units` after the one before. */
export const productPlaces: string = [
  'let at0 = unit;',
  ...range(WINOGRAD_PRODUCTS - 1).map((i) => `let at${i + 1} = at${i} + s.units;`),
].join('\n  ');

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
