/** Oracle of `placeRows`: table[places[r]] = x[r]; places past the end are dropped. */
import type { PlaceRowsParams } from '../../kernels/embed/place-rows.ts';

export interface PlaceRowsInputs {
  readonly x: ArrayLike<number>;
  readonly places: ArrayLike<number>;
  readonly table: ArrayLike<number>;
}

export function placeRows(
  { rows, lines, dim }: PlaceRowsParams,
  { x, places, table }: PlaceRowsInputs,
): Float64Array {
  const placed = Float64Array.from(table);
  for (let r = 0; r < rows; r++) {
    if (places[r]! >= lines) continue;
    for (let i = 0; i < dim; i++) placed[places[r]! * dim + i] = x[r * dim + i]!;
  }
  return placed;
}
