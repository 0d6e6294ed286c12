/** Oracle of `nearestCode`: the codebook row at the least squared distance, the first on ties. */
import type { NearestCodeParams } from '../../kernels/nearest-code.ts';

export interface NearestCodeInputs {
  readonly latents: ArrayLike<number>;
  readonly codebook: ArrayLike<number>;
}

export function nearestCode(
  { images, height, width, codebookSize, codebookEmbedDim: dim, l2Norm }: NearestCodeParams,
  { latents, codebook }: NearestCodeInputs,
): Uint32Array {
  const positions = height * width;
  const indices = new Uint32Array(images * positions);
  const normalised = (v: readonly number[]): readonly number[] =>
    l2Norm ? v.map((value) => value / Math.max(Math.hypot(...v), 1e-12)) : v;
  const vector = (data: ArrayLike<number>, start: number, step: number): readonly number[] =>
    normalised(Array.from({ length: dim }, (_, e) => data[start + e * step]!));
  for (let n = 0; n < images; n++) {
    for (let p = 0; p < positions; p++) {
      const z = vector(latents, n * dim * positions + p, positions);
      let shortest = Infinity;
      for (let code = 0; code < codebookSize; code++) {
        const v = vector(codebook, code * dim, 1);
        const distance = z.reduce((sum, value, e) => sum + (value - v[e]!) ** 2, 0);
        if (distance < shortest) {
          shortest = distance;
          indices[n * positions + p] = code;
        }
      }
    }
  }
  return indices;
}
