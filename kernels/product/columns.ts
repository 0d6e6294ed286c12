/** Parts of a product's columns, for weights that are larger than one binding. */
import { byteLength } from '../cost.ts';
import { assert, type Bindings } from '../kernel.ts';

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
  const { first, count } = columns ?? { first: 0, count: outDim };
  const end = first + count;
  const isSome = count > 0 && first >= 0 && end <= outDim;
  assert(
    isSome && first % 4 === 0 && (end % 4 === 0 || end === outDim),
    `${name}: columns from ${first} to ${end} expected multiples of 4, or the last of ${outDim}`,
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
