/** Parts of a product's columns, for weights that are larger than one binding. */
import { byteLength } from '../cost.ts';
import { assert, assertSizes, type Bindings } from '../kernel.ts';

/**
 * Some of the columns of a product, for weights that are larger than one binding: the kernel reads
 * `count` rows of the weight and writes as many columns. The first part has the role `out` like the
 * whole; the others add to what is there.
 */
export interface Columns {
  /** The first column; a multiple of 4. */
  readonly first: number;
  /** A multiple of 4, but for the last part. */
  readonly count: number;
}

/**
 * The columns a kernel makes; all by default.
 * @throws RangeError when they are not some of those of the product.
 */
export function columnsOf(
  name: string,
  { outDim, columns }: { readonly outDim: number; readonly columns?: Columns | undefined },
): Columns {
  assertSizes(name, { outDim });
  const { first, count } = columns ?? { first: 0, count: outDim };
  assertSizes(name, { columns: count });
  const end = first + count;
  assert(
    Number.isInteger(first) && first >= 0 && first % 4 === 0 && end <= outDim,
    `${name}: columns ${first} .. ${end - 1} expected to begin at a multiple of 4 and to end below ${outDim}`,
  );
  assert(
    end === outDim || count % 4 === 0,
    `${name}: a part that is not the last expected a multiple of 4 columns, got ${count}`,
  );
  return { first, count };
}

/**
 * Bytes that a product moves: of what it makes, and of what it adds to that, the share of its columns.
 * @param made Names of those bindings, if there.
 */
export function productBytes(
  bindings: Bindings,
  share: number,
  made: readonly string[] = ['residual', 'out'],
): number {
  const bytes = Object.entries(bindings).map(
    ([name, binding]) => byteLength(binding) * (made.includes(name) ? share : 1),
  );
  return Math.round(bytes.reduce((sum, n) => sum + n));
}

/** Rules of parameters that products share. */
export const PRODUCT_RULES = {
  rows: 'size',
  inDim: 'size',
  outDim: 'size',
  dtype: 'matrixDtype?',
  columns: 'part?',
  variant: 'variant?',
  tile: 'tile?',
} as const;
