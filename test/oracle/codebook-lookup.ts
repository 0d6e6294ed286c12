/** Oracle of `codebookLookup`: the codebook row of each code, divided by its length with `l2Norm`. */
import type { CodebookLookupParams } from '../../kernels/embed/codebook-lookup.ts';

export interface CodebookLookupInputs {
  readonly codes: ArrayLike<number>;
  readonly codebook: ArrayLike<number>;
}

export function codebookLookup(
  { images, height, width, codebookSize, codebookEmbedDim: dim, l2Norm }: CodebookLookupParams,
  { codes, codebook }: CodebookLookupInputs,
): Float64Array {
  const positions = height * width;
  const zq = new Float64Array(images * dim * positions);
  for (let n = 0; n < images; n++) {
    for (let p = 0; p < positions; p++) {
      const code = codes[n * positions + p]!;
      let length = 0;
      for (let e = 0; e < dim; e++) length = Math.hypot(length, codebook[code * dim + e]!);
      const divisor = l2Norm ? Math.max(length, 1e-12) : 1;
      for (let e = 0; e < dim; e++) {
        zq[(n * dim + e) * positions + p] =
          code < codebookSize ? codebook[code * dim + e]! / divisor : Number.NaN;
      }
    }
  }
  return zq;
}
