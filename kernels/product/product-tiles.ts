import type { Variant } from '../kernel.ts';
import { LEAST_LANES, type ProductTile } from './product-tile.ts';

/** Tiles worth measuring for a product on a device; all give the same result but for rounding. */
export function productTiles({ reduce, lanes }: Variant): readonly ProductTile[] {
  if (reduce === 'serial') {
    const spans = lanes === undefined ? [1] : [1, LEAST_LANES];
    return spans.flatMap((span) =>
      [4, 16].flatMap((units) => [4, 8].map((columns) => ({ span, parts: 1, units, columns }))),
    );
  }
  const spans = reduce === 'workgroup' ? [1] : [8, 16, 32].filter((s) => s <= (lanes ?? 4));
  return spans.flatMap((span) =>
    [1, 2, 4, 8, 16, 32, 64].flatMap((parts) =>
      [64, 128, 256].flatMap((threads) => {
        const units = threads / (span * parts);
        const fits = Number.isInteger(units) && (reduce === 'subgroup' ? parts <= 8 : parts >= 8);
        return fits ? [4, 8].map((columns) => ({ span, parts, units, columns })) : [];
      }),
    ),
  );
}
