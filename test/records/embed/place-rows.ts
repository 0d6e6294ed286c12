import { placeRows as kernel, type PlaceRowsParams } from '../../../kernels/embed/place-rows.ts';
import { NO_ROW } from '../../../kernels/lib/row-table.ts';
import { placeRows as oracle, type PlaceRowsInputs } from '../../oracle/place-rows.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

export const placeRows: KernelRecord<PlaceRowsParams> = record<PlaceRowsParams, PlaceRowsInputs>({
  name: 'place_rows',
  kernel,
  shown: { rows: 128, lines: 33 * 120, dim: 1280 },
  suites: [
    {
      cases: [
        { rows: 1, lines: 2, dim: 8 },
        { rows: 5, lines: 9, dim: 70 },
        { rows: 9, lines: 4, dim: 36 },
      ],
    },
  ],
  texts: [{ rows: 3, lines: 5, dim: 70 }],
  inputs: {
    x: ({ rows, dim }) => normal(rows * dim, 1),
    // From the end on, every third in no place, then some past the end, the first of them just so.
    places: ({ rows, lines }) =>
      Uint32Array.from({ length: rows }, (_, r) => {
        if (r % 3 === 2) return NO_ROW;
        return r < lines ? lines - 1 - r : r;
      }),
    table: ({ lines, dim }) => normal(lines * dim, 2),
  },
  oracle: (params, inputs) => ({ table: oracle(params, inputs) }),
  // Values are copied.
  tolerance: () => 'equal',
});
