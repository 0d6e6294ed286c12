/** How a product of few rows with a weight divides its work. */
import {
  assert,
  ceilDiv,
  MAX_WORKGROUP_BYTES,
  type MatrixDType,
  type Tile,
  tileOf,
  type Variant,
} from '../kernel.ts';
import { quads } from '../lib/rows.ts';
import { loadWidth } from '../lib/weight-rows.ts';

/** A unit of work is a few output columns of a few rows; what shares it changes the order of its sums. */
export type ProductTile = {
  /** Neighbouring invocations that share the sums of a unit by subgroup operations; a power of two. */
  readonly span: number;
  /** Such spans that share a unit through workgroup memory. */
  readonly parts: number;
  /** Units of a workgroup. */
  readonly units: number;
  /** Output columns of a unit; 4 or 8. */
  readonly columns: number;
  /**
   * Parts of inDim that are summed by workgroups of their own, and put together by one dispatch more;
   * only `linear` without a norm is made so (`linearParts`). 1 is one dispatch.
   */
  readonly split: number;
};

export interface ProductShape {
  readonly inDim: number;
  readonly outDim: number;
  readonly dtype: MatrixDType;
  /** Weights that are multiplied with the same input; default 1. */
  readonly weights?: number;
}

/** Words of the variable LLAMAGEN_VARIANT: `product.span=8`. */
export const PRODUCT_SETTINGS = ['span', 'parts', 'units', 'columns', 'split'] as const;

/** Subgroups have at least this many invocations (WebGPU). */
const LEAST_LANES = 4;
/** Enough subgroups at once to hide the latency of memory on large GPUs, by order of magnitude. */
const ENOUGH_SPANS = 2048;
/** Parts of 48 values in the narrowest official model (dim 768). */
const MAX_SPLIT = 16;

/** What a variant holds the tile of one shape by; the number of rows is no part of it. */
const key = ({ inDim, outDim, dtype, weights = 1 }: ProductShape): string =>
  `${weights > 1 ? `${weights} x ` : ''}${dtype}[${outDim},${inDim}]`;

/** The tile of a product under a variant. */
export function productTile(name: string, shape: ProductShape, variant: Variant): ProductTile {
  const tile = tileOf(variant, 'product', key(shape), ownTile(shape, variant));
  const { span, parts, units, columns, split } = tile;
  const powers = [span, parts, units].every(
    (n) => Number.isInteger(n) && n > 0 && (n & (n - 1)) === 0,
  );
  assert(
    powers && span * parts * units <= 256 && span <= (variant.lanes ?? LEAST_LANES),
    `${name}: span ${span}, parts ${parts} and units ${units} expected powers of two, at most 256 together, the span within a subgroup`,
  );
  assert(columns === 4 || columns === 8, `${name}: a unit has 4 or 8 columns, got ${columns}`);
  assertSplit(name, split);
  return tile;
}

/** Throws a RangeError unless inDim can be cut into so many parts. */
export function assertSplit(name: string, split: number): void {
  assert(
    Number.isInteger(split) && split > 0 && split <= MAX_SPLIT,
    `${name}: "split" expected an integer from 1 to ${MAX_SPLIT}, got ${split}`,
  );
}

/**
 * One part everywhere: what parts gain must be more than a dispatch costs, which only a measurement on
 * the adapter can say (`llamagen tune`); none was made on a GPU yet.
 */
const WHOLE = { split: 1 } as const;

function ownTile(shape: ProductShape, { reduce, lanes }: Variant): ProductTile {
  const { inDim, outDim, weights = 1 } = shape;
  if (reduce === 'serial') {
    if (lanes === undefined) return { span: 1, parts: 1, units: 16, columns: 4, ...WHOLE };
    // SwiftShader, 2 cores: 1.1 to 1.3 times as fast as whole sums in one invocation.
    return weights === 1
      ? { span: LEAST_LANES, parts: 1, units: 4, columns: 8, ...WHOLE }
      : { span: LEAST_LANES, parts: 1, units: 16, columns: 4, ...WHOLE };
  }
  if (reduce === 'workgroup') return { span: 1, parts: 64, units: 1, columns: 4, ...WHOLE };
  const span = Math.min(32, lanes ?? LEAST_LANES);
  const loads = ceilDiv(inDim, loadWidth(shape.dtype, inDim) * span);
  let parts = 1;
  while (parts < 4 && ceilDiv(outDim, 4) * parts < ENOUGH_SPANS && loads >= 4 * parts) parts *= 2;
  return { span, parts, units: Math.max(1, 128 / (span * parts)), columns: 4, ...WHOLE };
}

/** Tiles worth measuring for a product on a device; all give the same result but for rounding. */
export function productTiles({ reduce, lanes }: Variant): readonly Tile[] {
  if (reduce === 'serial') {
    const spans = lanes === undefined ? [1] : [1, LEAST_LANES];
    return spans.flatMap((span) =>
      [4, 16].flatMap((units) => [4, 8].map((columns) => ({ span, parts: 1, units, columns }))),
    );
  }
  const spans = reduce === 'workgroup' ? [1] : [8, 16, 32].filter((s) => s <= (lanes ?? 4));
  // The own choice in parts, beside all ways to make the whole.
  const splits = [2, 4].map((split) => ({ split }));
  const wholes = spans.flatMap((span) =>
    [1, 2, 4, 8, 16, 32, 64].flatMap((parts) =>
      [64, 128, 256].flatMap((threads) => {
        const units = threads / (span * parts);
        const fits = Number.isInteger(units) && (reduce === 'subgroup' ? parts <= 8 : parts >= 8);
        return fits ? [4, 8].map((columns) => ({ span, parts, units, columns })) : [];
      }),
    ),
  );
  return [...wholes, ...splits];
}

export interface TileRows {
  readonly rows: number;
  readonly weights: number;
  /** Whether the product is of normalised rows. */
  readonly norm: boolean;
  /** Whether four invocations load the input together (`quadLoop`). */
  readonly quad: boolean;
}

/**
 * Rows that an invocation keeps sums for: as many as there are, within registers and workgroup memory.
 * @throws RangeError when not even one row fits.
 */
export function rowsOfTile(
  name: string,
  { rows, weights, norm, quad }: TileRows,
  { parts, units, columns }: ProductTile,
  variant: Variant,
): number {
  // Sums in registers: a GPU has 255 to an invocation. More than 64 gain nothing on SwiftShader (2 to 6 %
  // for 16 rows) and double the time to compile, but where they are what the rows are shared for.
  const [most, registers] = variant.reduce === 'serial' && !quad ? [8, 64] : [16, 128];
  let tile = Math.min(most, registers / (columns * weights));
  const bytes = (n: number): number =>
    parts === 1 ? 0 : units * parts * n * (weights * quads(columns) * 16 + (norm ? 4 : 0));
  while (tile > 1 && bytes(tile) > MAX_WORKGROUP_BYTES) tile /= 2;
  assert(
    bytes(tile) <= MAX_WORKGROUP_BYTES,
    `${name}: parts ${parts}, units ${units} and columns ${columns} need ${bytes(tile)} bytes of workgroup memory, at most ${MAX_WORKGROUP_BYTES} are there`,
  );
  return Math.min(rows, tile);
}
