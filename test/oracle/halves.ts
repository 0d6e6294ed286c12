/** Oracles of `halvesOfMap` and `halvesOfFilter`: the same values, channels last, not rounded. */
import type { HalvesOfFilterParams } from '../../kernels/conv/halves-of-filter.ts';
import type { HalvesOfMapParams } from '../../kernels/conv/halves-of-map.ts';

/** out[n, y, x, c]: the norm of x, its columns doubled, with zeros around it. */
export function halvesOfMap(
  params: HalvesOfMapParams,
  { x, affine }: { readonly x: ArrayLike<number>; readonly affine?: ArrayLike<number> },
): Float64Array {
  const { images, channels, height, width, border = false, upsample = false, norm } = params;
  const [scale, around] = [upsample ? 2 : 1, border ? 1 : 0];
  const [rows, columns] = [height + 2 * around, scale * width + 2 * around];
  const out = new Float64Array(images * rows * columns * channels);
  for (let i = 0; i < out.length; i++) {
    const c = i % channels;
    const column = (Math.floor(i / channels) % columns) - around;
    const y = (Math.floor(i / channels / columns) % rows) - around;
    const n = Math.floor(i / channels / columns / rows);
    if (y < 0 || y >= height || column < 0 || column >= scale * width) continue;
    const [from, at] = [y, Math.floor(column / scale)];
    const v = x[((n * channels + c) * height + from) * width + at]!;
    if (!norm) {
      out[i] = v;
      continue;
    }
    const [mean, factor, shift] = [0, 1, 2].map((j) => affine![4 * (n * channels + c) + j]!);
    const h = (v - mean!) * factor! + shift!;
    out[i] = norm === 'swish' ? h / (1 + Math.exp(-h)) : h;
  }
  return out;
}

/** out[o, tap, c] = weight[o, c, tap]; of a doubled map out[odd, o, tap, c], sums over rows of weights. */
export function halvesOfFilter(
  { inChannels, outChannels, kernelSize: k, upsample = false }: HalvesOfFilterParams,
  { weight }: { readonly weight: ArrayLike<number> },
): Float64Array {
  /** Rows of the filter that meet one row of the map. */
  const rows: readonly (readonly number[])[] = upsample
    ? [[0], [1, 2], [0, 1], [2]]
    : Array.from({ length: k }, (_, ky) => [ky]);
  const turns = upsample ? 2 : 1;
  const each = rows.length / turns;
  const made: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    for (let o = 0; o < outChannels; o++) {
      for (const met of rows.slice(turn * each, (turn + 1) * each)) {
        for (let kx = 0; kx < k; kx++) {
          for (let c = 0; c < inChannels; c++) {
            const at = (ky: number): number => weight[((o * inChannels + c) * k + ky) * k + kx]!;
            made.push(met.reduce((sum, ky) => sum + at(ky), 0));
          }
        }
      }
    }
  }
  return Float64Array.from(made);
}
