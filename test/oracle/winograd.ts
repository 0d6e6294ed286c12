/**
 * Oracles of convolutions by Winograd's F(4x4, 3x3), from its definition: polynomials through the
 * points 0, +-2/3, +-3/2 and infinity. Source: Lavin and Gray 2016 (arXiv:1509.09308).
 */
import type { WinogradFilterParams } from '../../kernels/conv/winograd-filter.ts';
import type { WinogradInputParams } from '../../kernels/conv/winograd-input.ts';
import type { WinogradOutputParams } from '../../kernels/conv/winograd-output.ts';
import type { WinogradProductParams } from '../../kernels/conv/winograd-product.ts';

const POINTS = [0, 2 / 3, -2 / 3, 3 / 2, -3 / 2];
const SIDE = POINTS.length + 1;
const PRODUCTS = SIDE * SIDE;
/** Outputs of a tile, along one side. */
const TILE = 4;
const TAPS = 3;

type Matrix = readonly (readonly number[])[];

/** Coefficients of the product of (x - p) over `points`, lowest first, as many as there are inputs. */
function polynomial(points: readonly number[]): number[] {
  let sum = [1];
  for (const p of points) sum = [...sum, 0].map((_, i) => (sum[i - 1] ?? 0) - p * (sum[i] ?? 0));
  return Array.from({ length: SIDE }, (_, i) => sum[i] ?? 0);
}

const others = (p: number): number[] => POINTS.filter((q) => q !== p);

/** B^T, G and A^T: their last row or column stands for infinity. */
const INPUT: Matrix = [...POINTS.map((p) => polynomial(others(p))), polynomial(POINTS)];
const FILTER: Matrix = [
  ...POINTS.map((p) => {
    const scale = others(p).reduce((product, q) => product * (p - q), 1);
    return Array.from({ length: TAPS }, (_, k) => p ** k / scale);
  }),
  [0, 0, 1],
];
const OUTPUT: Matrix = Array.from({ length: TILE }, (_, i) => [
  ...POINTS.map((p) => p ** i),
  i === TILE - 1 ? 1 : 0,
]);

/** t s t^T of a square s of `side`, row by row. */
function transformed(t: Matrix, s: ArrayLike<number>, side: number): number[] {
  return t.flatMap((a) =>
    t.map((b) => {
      let sum = 0;
      for (let r = 0; r < side; r++) {
        for (let c = 0; c < side; c++) sum += a[r]! * s[r * side + c]! * b[c]!;
      }
      return sum;
    }),
  );
}

/** Some tiles of images of this size: where each begins, and of which image. */
function tilesOf(
  { images, height, width }: Pick<WinogradOutputParams, 'images' | 'height' | 'width'>,
  part: WinogradInputParams['part'],
): { image: number; top: number; left: number }[] {
  const [down, across] = [Math.ceil(height / TILE), Math.ceil(width / TILE)];
  const { first, count } = part ?? { first: 0, count: images * down * across };
  return Array.from({ length: count }, (_, i) => {
    const tile = first + i;
    const image = Math.floor(tile / (down * across));
    const row = Math.floor(tile / across) % down;
    return { image, top: row * TILE, left: (tile % across) * TILE };
  });
}

/** out[6 i + j, c, o] = (G weight[o, c] G^T)[i, j]. */
export function winogradFilter(
  { inChannels, outChannels }: WinogradFilterParams,
  { weight }: { readonly weight: ArrayLike<number> },
): Float64Array {
  const out = new Float64Array(PRODUCTS * inChannels * outChannels);
  for (let o = 0; o < outChannels; o++) {
    for (let c = 0; c < inChannels; c++) {
      const at = (o * inChannels + c) * TAPS ** 2;
      const filter = Array.from({ length: TAPS ** 2 }, (_, i) => weight[at + i]!);
      for (const [i, value] of transformed(FILTER, filter, TAPS).entries()) {
        out[(i * inChannels + c) * outChannels + o] = value;
      }
    }
  }
  return out;
}

/** out[6 i + j, c, t] = (B^T d B)[i, j], d the 6x6 values around tile t, zero outside the image. */
export function winogradInput(
  { images, channels, height, width, upsample = false, part }: WinogradInputParams,
  { x }: { readonly x: ArrayLike<number> },
): Float64Array {
  const scale = upsample ? 2 : 1;
  const [rows, columns] = [height * scale, width * scale];
  const tiles = tilesOf({ images, height: rows, width: columns }, part);
  const out = new Float64Array(PRODUCTS * channels * tiles.length);
  for (const [t, { image, top, left }] of tiles.entries()) {
    for (let c = 0; c < channels; c++) {
      const d = Array.from({ length: PRODUCTS }, (_, i) => {
        const [y, column] = [top - 1 + Math.floor(i / SIDE), left - 1 + (i % SIDE)];
        if (y < 0 || y >= rows || column < 0 || column >= columns) return 0;
        const row = (image * channels + c) * height + Math.floor(y / scale);
        return x[row * width + Math.floor(column / scale)]!;
      });
      for (const [i, value] of transformed(INPUT, d, SIDE).entries()) {
        out[(i * channels + c) * tiles.length + t] = value;
      }
    }
  }
  return out;
}

/** out[i, o, t] = sum_c weight[i, c, o] * x[i, c, t]. */
export function winogradProduct(
  { inChannels, outChannels, tiles }: WinogradProductParams,
  { weight, x }: { readonly weight: ArrayLike<number>; readonly x: ArrayLike<number> },
): Float64Array {
  const out = new Float64Array(PRODUCTS * outChannels * tiles);
  for (let at = 0; at < out.length; at++) {
    const t = at % tiles;
    const o = Math.floor(at / tiles) % outChannels;
    const i = Math.floor(at / (tiles * outChannels));
    for (let c = 0; c < inChannels; c++) {
      const row = i * inChannels + c;
      out[at]! += weight[row * outChannels + o]! * x[row * tiles + t]!;
    }
  }
  return out;
}

export interface WinogradOutputInputs {
  /** [36, channels, tiles of the part]. */
  readonly x: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly residual?: ArrayLike<number>;
  /** What parts before this one made; given when the part is not the first. */
  readonly out?: ArrayLike<number>;
}

/** Pixels of tile t in channel o: A^T m A + bias[o] (+ residual), m[i, j] = x[6 i + j, o, t]. */
export function winogradOutput(
  { images, channels, height, width, part }: WinogradOutputParams,
  { x, bias, residual, out: before }: WinogradOutputInputs,
): Float64Array {
  const out = new Float64Array(images * channels * height * width).fill(Number.NaN);
  if (before) out.set(Array.from(before));
  const tiles = tilesOf({ images, height, width }, part);
  for (const [t, { image, top, left }] of tiles.entries()) {
    for (let c = 0; c < channels; c++) {
      const m = Array.from(
        { length: PRODUCTS },
        (_, i) => x[(i * channels + c) * tiles.length + t]!,
      );
      for (const [i, value] of transformed(OUTPUT, m, SIDE).entries()) {
        const [y, column] = [top + Math.floor(i / TILE), left + (i % TILE)];
        if (y >= height || column >= width) continue;
        const at = ((image * channels + c) * height + y) * width + column;
        out[at] = value + bias[c]! + (residual ? residual[at]! : 0);
      }
    }
  }
  return out;
}
