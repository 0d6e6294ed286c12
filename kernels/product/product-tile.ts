/** How a product of few rows with a weight divides its work. */
import { MAX_WORKGROUP_BYTES, type MatrixDType, type Variant } from '../kernel.ts';
import { shown } from '../lib/params.ts';
import { loadWidth } from '../lib/weights.ts';

/** Who shares a sum decides its order; columns do not, so the number of rows may choose them. */
export type ProductTile = {
  /** Neighbouring invocations that share sums by subgroup operations; a power of two. */
  readonly span: number;
  /** Such spans that share sums through workgroup memory; 1 under `serial`, which has no barriers. */
  readonly parts: number;
  /** `matrix`: by matrices of subgroups (product-matrix.ts), without span and parts. Default `f32`. */
  readonly math: 'f32' | 'matrix';
  /**
   * Output columns that an invocation has sums for: 4, or 8 without barriers and 2 with them. By matrices,
   * those of a workgroup: one matrix of them or several, which decides the order of sums.
   */
  readonly columns: number;
};

/** What a tile depends on besides its variant. */
export interface ProductShape {
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  readonly dtype: MatrixDType;
  /** Weights that are multiplied with the same input; default 1. */
  readonly weights?: number | undefined;
  /** Whether the product is of normalised rows; default false. */
  readonly norm?: boolean | undefined;
  /** Parts of inDim; default 1. */
  readonly split?: number | undefined;
}

/** A tile, and what follows from it. */
export interface WholeTile extends ProductTile {
  /**
   * Teams of span * parts invocations in a workgroup, each with columns of its own. Spans of different
   * teams are neighbours, so that a subgroup reads the same input for all of them.
   */
  readonly teams: number;
  /** Rows that an invocation has sums for. */
  readonly rowTile: number;
}

/** Settings of a tile, by name. */
export const PRODUCT_SETTINGS: readonly string[] = ['math', 'span', 'parts', 'columns'];

/** Subgroups have at least this many invocations (WebGPU). */
export const LEAST_LANES = 4;
/** Most invocations of a workgroup (WebGPU default limit). */
const MOST = 256;

/** Workgroups that keep a large GPU busy: two for each of an H200's 132 multiprocessors. */
const ENOUGH_WORKGROUPS = 256;

/** Invocations that may share a sum of one weight, and the least share of them that always has work. */
const TEAMS = [128, 64, 32];
const LEAST_USE = 0.75;

/**
 * How many invocations share a sum. H200, f16 weights, ratios of one run: sums of one weight took 128
 * invocations 0.6 to 1.0 of the time that they take 32 for 2 rows, 0.3 to 0.9 for 16; those of two
 * weights 0.9 and 1.4. Where a last load is for few of them, most would wait.
 */
function sharedBy(
  { inDim, dtype, weights = 1 }: ProductShape,
  { reduce, lanes }: Variant,
): Pick<ProductTile, 'span' | 'parts'> {
  if (reduce === 'serial') return { span: lanes ? LEAST_LANES : 1, parts: 1 };
  if (reduce === 'workgroup') return { span: 1, parts: 64 };
  if (weights > 1) return { span: LEAST_LANES, parts: 8 };
  const loads = Math.ceil(inDim / loadWidth(dtype, inDim));
  const useOf = (team: number): number => loads / (team * Math.ceil(loads / team));
  const team = TEAMS.find((count) => useOf(count) >= LEAST_USE) ?? 32;
  const span = Math.min(8, lanes ?? LEAST_LANES);
  return { span, parts: team / span };
}

/**
 * The own choice, but for what `tile` says. More rows read more of the input than of the weights, for
 * four columns at once half as often. SwiftShader: eight sums of four invocations are 1.1 to 1.3 times as
 * fast as four of one.
 */
export function productTile(
  shape: ProductShape,
  variant: Variant,
  tile: Partial<ProductTile> = {},
): WholeTile {
  const { rows, outDim, weights = 1, norm = false } = shape;
  const { reduce } = variant;
  const serial = reduce === 'serial';
  const { span, parts, math } = { ...sharedBy(shape, variant), math: 'f32' as const, ...tile };
  const isNarrow = reduce === 'subgroup' && (rows <= 4 || weights > 1) && 2 * span * parts <= MOST;
  const { columns = serial ? 8 / weights : isNarrow ? 2 : 4 } = tile;
  // Software adapters run one workgroup a thread; on GPUs small ones are more at once.
  let teams = serial ? 16 : 4 / columns;
  const isSmall = (): boolean => 2 * teams * span * parts <= 128;
  const isMany = (): boolean => outDim >= 2 * teams * columns * ENOUGH_WORKGROUPS;
  while (reduce === 'subgroup' && isSmall() && (isMany() || teams * span * parts < 64)) teams *= 2;
  // Sums in registers, of which a GPU has 255 to an invocation; more than 64 gain nothing on SwiftShader.
  const whole = { math, span, parts, columns, teams };
  let rowTile = Math.min(serial ? 8 : 16, 64 / (columns * weights));
  while (rowTile > 1 && bytesOf(whole, rowTile, weights, norm) > MAX_WORKGROUP_BYTES) rowTile /= 2;
  return { ...whole, rowTile: Math.min(rows, rowTile) };
}

/** Workgroup memory that so many rows need; one row never needs too much. */
const bytesOf = (
  { parts, columns, teams }: Omit<WholeTile, 'rowTile'>,
  rows: number,
  weights: number,
  norm: boolean,
): number => (parts === 1 ? 0 : 4 * parts * teams * rows * (columns * weights + (norm ? 1 : 0)));

/** Why a product cannot be made with a tile, or undefined where it can. */
export function productProblem(
  shape: ProductShape,
  variant: Variant,
  tile: Partial<ProductTile> = {},
): string | undefined {
  const { reduce, lanes = LEAST_LANES, matrix } = variant;
  const settings = Object.entries(tile);
  if (settings.some(([name]) => !PRODUCT_SETTINGS.includes(name)))
    return `"tile" expected some of ${PRODUCT_SETTINGS.join(', ')}, got ${shown(tile)}`;
  if (tile.math === 'matrix')
    return matrix
      ? matrix.texts.fewProblem(shape, variant, tile)
      : 'math "matrix" needs a device with matrices';
  // `productTile` counts on it.
  const odd = settings.find(([name, value]) =>
    name === 'math'
      ? value !== 'f32'
      : !Number.isInteger(value) || !Number.isInteger(Math.log2(+value)),
  );
  if (odd)
    return `${odd[0]} expected ${odd[0] === 'math' ? 'f32 or matrix' : 'a power of two'}, got ${odd[1]}`;
  const { span, parts, columns, teams } = productTile(shape, variant, tile);
  const serial = reduce === 'serial';
  const isTeam = span <= lanes && (!serial || parts === 1) && span * parts * teams <= MOST;
  return isTeam && [4, serial ? 8 : 2].includes(columns)
    ? undefined
    : `span ${span}, parts ${parts} and columns ${columns} expected a span of at most ${lanes}, ${serial ? '1 part, 4 or 8' : '2 or 4'} columns and at most ${MOST} invocations`;
}
