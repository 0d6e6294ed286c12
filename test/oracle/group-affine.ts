/** Oracles of `groupMoments` and `groupAffine`: a GroupNorm in two steps. */
import type { GroupAffineParams } from '../../kernels/norm/group-affine.ts';
import type { GroupMomentsParams } from '../../kernels/norm/group-moments.ts';

/** Values of the chunks of a group of `count`: at least 2048 each, at most 64 chunks, the last short. */
function chunkSizes(count: number): number[] {
  const chunk = Math.max(2048, Math.ceil(count / 64));
  return Array.from({ length: Math.ceil(count / chunk) }, (_, i) =>
    Math.min(chunk, count - i * chunk),
  );
}

/** out[n, g, chunk] = (mean of its values, sum of (value - mean)^2). */
export function groupMoments(
  { images, channels, height, width, groups = 32 }: GroupMomentsParams,
  { x }: { readonly x: ArrayLike<number> },
): Float64Array {
  const sizes = chunkSizes((channels / groups) * height * width);
  const out: number[] = [];
  let first = 0;
  for (let g = 0; g < images * groups; g++) {
    for (const size of sizes) {
      const own = Array.from({ length: size }, (_, i) => x[first + i]!);
      const mean = own.reduce((sum, v) => sum + v, 0) / size;
      out.push(
        mean,
        own.reduce((sum, v) => sum + (v - mean) ** 2, 0),
      );
      first += size;
    }
  }
  return Float64Array.from(out);
}

export interface GroupAffineInputs {
  /** [images, groups, chunks, 2] of `groupMoments`. */
  readonly moments: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

/**
 * out[n, c] = (mean, weight[c] / sqrt(variance + eps), bias[c], 0) of the group of channel c: the
 * squares of a chunk are about its own mean, (mean - own)^2 is what each of its values adds.
 */
export function groupAffine(
  { images, channels, height, width, groups = 32, eps = 1e-6 }: GroupAffineParams,
  { moments, weight, bias }: GroupAffineInputs,
): Float64Array {
  const count = (channels / groups) * height * width;
  const sizes = chunkSizes(count);
  const out = new Float64Array(images * channels * 4);
  for (let i = 0; i < images * channels; i++) {
    const group = Math.floor(i / (channels / groups));
    const chunks = sizes.map((size, c) => {
      const at = 2 * (group * sizes.length + c);
      return { size, mean: moments[at]!, squares: moments[at + 1]! };
    });
    const mean = chunks.reduce((sum, c) => sum + c.mean * c.size, 0) / count;
    const squares = chunks.reduce((sum, c) => sum + c.squares + c.size * (c.mean - mean) ** 2, 0);
    const scale = weight[i % channels]! / Math.sqrt(squares / count + eps);
    out.set([mean, scale, bias[i % channels]!, 0], 4 * i);
  }
  return out;
}
