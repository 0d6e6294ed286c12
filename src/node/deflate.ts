/** How rows of a PNG are compressed in Node. */
import { constants } from 'node:zlib';

/** The residues of a filter are mostly small (361 for 379 kB by default). */
export const DEFLATE: { readonly level: number; readonly strategy: number } = {
  level: 6,
  strategy: constants.Z_FILTERED,
};
