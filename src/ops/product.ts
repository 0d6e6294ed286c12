/** What products of rows with weights have in common: the key, the tiles and their limits. */
import type { Variant } from '../../kernels/kernel.ts';
import { splitProblem } from '../../kernels/product/linear-parts.ts';
import {
  LEAST_LANES,
  type ProductShape,
  type ProductTile,
  productProblem,
} from '../../kernels/product/product-tile.ts';
import type { Operation } from './operation.ts';

/** What an operation multiplies with. */
interface OpShape extends Omit<ProductShape, 'rows' | 'split'> {
  readonly inDim: number;
  readonly outDim: number;
}

export interface ProductOpTile extends ProductTile {
  /**
   * Parts of inDim that are summed by workgroups of their own, and put together by one dispatch more;
   * only `addProduct` of few rows is made so. 1 is one dispatch, and the choice where nothing else was
   * measured: what parts gain must be more than a dispatch costs.
   */
  readonly split: number;
}

/** Key, tiles and limits of operations that multiply rows with a weight, or two. */
export function productFamily<P extends { readonly rows: number; readonly variant: Variant }>(
  shapeOf: (params: P) => OpShape,
): Omit<Operation<P, never, ProductOpTile>, 'call'> {
  return {
    key(params) {
      const { inDim, outDim, dtype, weights = 1 } = shapeOf(params);
      return `product ${weights > 1 ? `${weights} x ` : ''}${dtype}[${outDim},${inDim}]`;
    },
    tiles,
    problem: (params, { split = 1, ...tile }) =>
      splitProblem(split) ??
      productProblem({ rows: params.rows, split, ...shapeOf(params) }, params.variant, tile),
  };
}

/** The settings of a tile that concern one dispatch. */
export function wholeTile({ split: _, ...tile }: Partial<ProductOpTile>): Partial<ProductTile> {
  return tile;
}

/** Tiles worth measuring; all give the same result but for rounding. */
function tiles({
  reduce,
  lanes = LEAST_LANES,
  matrix,
}: Variant): readonly Partial<ProductOpTile>[] {
  if (reduce === 'serial') return [{ span: 1 }, { columns: 4 }, { columns: 8 }];
  const spans = reduce === 'workgroup' ? [1] : [4, 8, 16, 32].filter((s) => s <= lanes);
  const teams = reduce === 'workgroup' ? [16, 32, 64, 128] : [16, 32, 64, 128, 256];
  const whole = spans.flatMap((span) =>
    teams.flatMap((team) => {
      const parts = team / span;
      if (parts < 1) return [];
      return [{}, { columns: 2 }, { columns: 4 }].map((c) => ({ span, parts, ...c }));
    }),
  );
  const { m = 0 } = matrix ?? {};
  const byMatrices = matrix
    ? [1, 2, 4].flatMap((c) =>
        [4, 8, 16].map((parts) => ({ math: 'matrix' as const, columns: c * m, parts })),
      )
    : [];
  return [...whole, ...byMatrices, { split: 2 }, { split: 4 }];
}
