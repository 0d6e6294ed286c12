/** Oracles of `halvesOfMap` and `halvesOfFilter`: the same values, channels last, not rounded. */
import type { HalvesOfFilterParams } from '../../kernels/conv/halves-of-filter.ts';
import type { HalvesOfMapParams } from '../../kernels/conv/halves-of-map.ts';

/** out[n, y, x, c]: the norm of x, doubled, with zeros around it. */
export function halvesOfMap(
  params: HalvesOfMapParams,
  { x, affine }: { readonly x: ArrayLike<number>; readonly affine?: ArrayLike<number> },
): Float64Array {
  const { images, channels, height, width, border = false, upsample = false, norm } = params;
  const [scale, around] = [upsample ? 2 : 1, border ? 1 : 0];
  const [rows, columns] = [scale * height + 2 * around, scale * width + 2 * around];
  const out = new Float64Array(images * rows * columns * channels);
  for (let i = 0; i < out.length; i++) {
    const c = i % channels;
    const column = (Math.floor(i / channels) % columns) - around;
    const y = (Math.floor(i / channels / columns) % rows) - around;
    const n = Math.floor(i / channels / columns / rows);
    if (y < 0 || y >= scale * height || column < 0 || column >= scale * width) continue;
    const [from, at] = [Math.floor(y / scale), Math.floor(column / scale)];
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

/** out[o, tap, c] = weight[o, c, tap]. */
export function halvesOfFilter(
  { inChannels, outChannels, kernelSize }: HalvesOfFilterParams,
  { weight }: { readonly weight: ArrayLike<number> },
): Float64Array {
  const taps = kernelSize ** 2;
  return Float64Array.from({ length: outChannels * taps * inChannels }, (_, i) => {
    const c = i % inChannels;
    const tap = Math.floor(i / inChannels) % taps;
    const o = Math.floor(i / inChannels / taps);
    return weight[(o * inChannels + c) * taps + tap]!;
  });
}
