/** How a product of few rows with a weight divides its work. */
import { assert, ceilDiv, MAX_WORKGROUP_BYTES, type MatrixDType, type Variant } from '../kernel.ts';
import { loadWidth, quads } from '../lib/accessors.ts';
import { assertTile } from '../lib/params.ts';

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
};

export interface ProductShape {
  readonly inDim: number;
  readonly outDim: number;
  readonly dtype: MatrixDType;
  /** Weights that are multiplied with the same input; default 1. */
  readonly weights?: number | undefined;
  /** Whether the product is of normalised rows; default false. */
  readonly norm?: boolean | undefined;
}

/** Settings of a tile, by name. */
export const PRODUCT_SETTINGS: readonly (keyof ProductTile)[] = [
  ...(['span', 'parts', 'units', 'columns'] as const),
];

/** Subgroups have at least this many invocations (WebGPU). */
export const LEAST_LANES = 4;
/** Enough subgroups at once to hide the latency of memory on large GPUs, by order of magnitude. */
const ENOUGH_SPANS = 2048;
/** Parts of 48 values in the narrowest official model (dim 768). */
const MAX_SPLIT = 16;

/**
 * The tile of a product: the own choice for its shape and variant, but for what `tile` says.
 * @throws RangeError when it cannot be.
 */
export function productTile(
  name: string,
  shape: ProductShape,
  variant: Variant,
  tile?: Partial<ProductTile>,
): ProductTile {
  assertTile(name, tile, PRODUCT_SETTINGS);
  const whole = { ...ownProductTile(shape, variant), ...tile };
  const problem = productProblem(whole, shape, variant);
  assert(problem === undefined, `${name}: ${problem}`);
  return whole;
}

/** Why a product cannot be made with a tile, or undefined where it can. */
export function productProblem(
  { span, parts, units, columns }: ProductTile,
  { weights = 1, norm = false }: ProductShape,
  { lanes = LEAST_LANES }: Variant,
): string | undefined {
  const powers = [span, parts, units].every(
    (n) => Number.isInteger(n) && n > 0 && (n & (n - 1)) === 0,
  );
  if (!powers || span * parts * units > 256 || span > lanes) {
    return `span ${span}, parts ${parts} and units ${units} expected powers of two, at most 256 together, the span within a subgroup`;
  }
  if (columns !== 4 && columns !== 8) return `a unit has 4 or 8 columns, got ${columns}`;
  const bytes = bytesOf({ weights, norm }, { parts, units, columns }, 1);
  return bytes > MAX_WORKGROUP_BYTES
    ? `parts ${parts}, units ${units} and columns ${columns} need ${bytes} bytes of workgroup memory, at most ${MAX_WORKGROUP_BYTES} are there`
    : undefined;
}

/** Throws a RangeError unless inDim can be cut into so many parts. */
export function assertSplit(name: string, split: number): void {
  const problem = splitProblem(split);
  assert(problem === undefined, `${name}: ${problem}`);
}

/** Why inDim cannot be cut into so many parts, or undefined where it can. */
export const splitProblem = (split: number): string | undefined =>
  Number.isInteger(split) && split > 0 && split <= MAX_SPLIT
    ? undefined
    : `"split" expected an integer from 1 to ${MAX_SPLIT}, got ${split}`;

/** What a kernel chooses where nothing else is measured. */
export function ownProductTile(shape: ProductShape, { reduce, lanes }: Variant): ProductTile {
  const { inDim, outDim, weights = 1 } = shape;
  if (reduce === 'serial') {
    if (lanes === undefined) return { span: 1, parts: 1, units: 16, columns: 4 };
    // SwiftShader, 2 cores: 1.1 to 1.3 times as fast as whole sums in one invocation.
    return weights === 1
      ? { span: LEAST_LANES, parts: 1, units: 4, columns: 8 }
      : { span: LEAST_LANES, parts: 1, units: 16, columns: 4 };
  }
  if (reduce === 'workgroup') return { span: 1, parts: 64, units: 1, columns: 4 };
  const span = Math.min(32, lanes ?? LEAST_LANES);
  const loads = ceilDiv(inDim, loadWidth(shape.dtype, inDim) * span);
  let parts = 1;
  while (parts < 4 && ceilDiv(outDim, 4) * parts < ENOUGH_SPANS && loads >= 4 * parts) parts *= 2;
  return { span, parts, units: Math.max(1, 128 / (span * parts)), columns: 4 };
}

export interface TileRows {
  readonly rows: number;
  readonly weights: number;
  /** Whether the product is of normalised rows. */
  readonly norm: boolean;
  /** Whether four invocations load the input together (`quadLoop`). */
  readonly quad: boolean;
}

/** Rows that an invocation keeps sums for: as many as there are, within registers and workgroup memory. */
export function rowsOfTile(
  { rows, weights, norm, quad }: TileRows,
  tile: ProductTile,
  variant: Variant,
): number {
  // Sums in registers: a GPU has 255 to an invocation. More than 64 gain nothing on SwiftShader (2 to 6 %
  // for 16 rows) and double the time to compile, but where they are what the rows are shared for.
  const [most, registers] = variant.reduce === 'serial' && !quad ? [8, 64] : [16, 128];
  let count = Math.min(most, registers / (tile.columns * weights));
  while (count > 1 && bytesOf({ weights, norm }, tile, count) > MAX_WORKGROUP_BYTES) count /= 2;
  return Math.min(rows, count);
}

/** Workgroup memory of a kernel whose invocations keep sums for so many rows. */
const bytesOf = (
  { weights, norm }: Pick<TileRows, 'weights' | 'norm'>,
  { parts, units, columns }: Omit<ProductTile, 'span'>,
  rows: number,
): number =>
  parts === 1 ? 0 : units * parts * rows * (weights * quads(columns) * 16 + (norm ? 4 : 0));
