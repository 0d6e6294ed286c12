/** Oracle of `nearestCode`: the codebook row at the least squared distance, the first on ties. */

import type { NearestCodeParams } from '../../kernels/embed/nearest-code.ts';
import { NO_TOKEN } from '../../kernels/lib/finite.ts';

export interface NearestCodeInputs {
  readonly latents: ArrayLike<number>;
  readonly codebook: ArrayLike<number>;
}

export function nearestCode(
  { images, height, width, codebookSize, codebookEmbedDim: dim, l2Norm }: NearestCodeParams,
  { latents, codebook }: NearestCodeInputs,
): Uint32Array {
  const positions = height * width;
  const indices = new Uint32Array(images * positions).fill(NO_TOKEN);
  const normalised = (v: readonly number[]): readonly number[] =>
    l2Norm ? v.map((value) => value / Math.max(Math.hypot(...v), 1e-12)) : v;
  const vector = (data: ArrayLike<number>, start: number, step: number): readonly number[] =>
    Array.from({ length: dim }, (_, e) => data[start + e * step]!);
  // Nothing is near to what has no length in f32.
  const hasLength = (v: readonly number[]): boolean =>
    Number.isFinite(Math.fround(v.reduce((sum, value) => sum + value * value, 0)));
  for (let n = 0; n < images; n++) {
    for (let p = 0; p < positions; p++) {
      const latent = vector(latents, n * dim * positions + p, positions);
      if (!hasLength(latent)) continue;
      const z = normalised(latent);
      let shortest = Infinity;
      for (let code = 0; code < codebookSize; code++) {
        const v = normalised(vector(codebook, code * dim, 1));
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
