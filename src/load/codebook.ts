/** Whether the vectors of a codebook have a direction, looked at while it is loaded. */

import { WeightsError } from '../errors.ts';
import type { Inspector } from '../gpu/upload.ts';
import { CODEBOOK, type VqConfig } from '../models/vq-config.ts';
import { decodeF32, isWeightDType } from '../weights/convert.ts';

/** What a vector is divided by at least; see `codebookLookup`. */
const LEAST_LENGTH = 1e-12;
const LARGEST_SINGLE = 2 ** 128 - 2 ** 104;

/**
 * Looks at every row of a normalised codebook as it passes by; nothing of it is kept. A row of zeros
 * stays zero when it is normalised, and one whose square overflows becomes zero: their codes would be
 * drawn as something that no code stands for.
 * @param file For messages.
 */
export function codebookInspector(file: string, config: VqConfig): Inspector | undefined {
  const { codebookL2Norm, codebookEmbedDim: dim } = config;
  if (!codebookL2Norm) return undefined;
  let [seen, square] = [0, 0];
  return (tensor, dtype, bytes) => {
    if (tensor !== CODEBOOK || !isWeightDType(dtype)) return;
    for (const value of decodeF32(dtype, bytes)) {
      square += value * value;
      seen++;
      if (seen % dim > 0) continue;
      checkLength(file, seen / dim - 1, square);
      square = 0;
    }
  };
}

function checkLength(file: string, row: number, square: number): void {
  const length = Math.sqrt(square);
  if (length >= LEAST_LENGTH && square <= LARGEST_SINGLE) return;
  const what = length === 0 ? 'is all zero' : `has the length ${length.toPrecision(3)}`;
  throw new WeightsError(
    `${file}: tensor "${CODEBOOK}": row ${row} ${what}, and a codebook that is normalised needs rows with a direction (lengths from ${LEAST_LENGTH} to 1.8e19): check the checkpoint; a tokenizer trained without normalising has codebook_l2_norm false in model.json`,
  );
}
