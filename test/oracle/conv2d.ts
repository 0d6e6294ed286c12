/** Oracle of `conv2d`: bias + the sum over input channels and filter taps, zeros outside (+ residual). */
import type { Conv2dParams } from '../../kernels/conv/conv2d.ts';

export interface Conv2dInputs {
  readonly x: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly residual?: ArrayLike<number>;
  /** (mean, scale, shift, 0) of every image and channel; given when `norm` is. */
  readonly affine?: ArrayLike<number>;
}

export function conv2d(params: Conv2dParams, inputs: Conv2dInputs): Float64Array {
  const { images, inChannels, outChannels, kernelSize: k, upsample = false, stride = 1 } = params;
  const { weight, bias, residual } = inputs;
  const given = normed(params, inputs);
  const { x, height, width } = upsample ? doubled(params, given) : { ...params, x: given };
  const outHeight = stride === 2 ? Math.floor((height - 2) / 2) + 1 : height;
  const outWidth = stride === 2 ? Math.floor((width - 2) / 2) + 1 : width;
  // Stride 2 pads below and to the right only, so the window starts at the pixel itself.
  const pad = stride === 2 ? 0 : (k - 1) / 2;
  const out = new Float64Array(images * outChannels * outHeight * outWidth);
  for (let i = 0; i < out.length; i++) {
    const ox = i % outWidth;
    const oy = Math.floor(i / outWidth) % outHeight;
    const o = Math.floor(i / (outWidth * outHeight)) % outChannels;
    const n = Math.floor(i / (outWidth * outHeight * outChannels));
    let sum = bias[o]! + (residual ? residual[i]! : 0);
    for (let c = 0; c < inChannels; c++) {
      for (let ky = 0; ky < k; ky++) {
        for (let kx = 0; kx < k; kx++) {
          const y = oy * stride + ky - pad;
          const column = ox * stride + kx - pad;
          if (y < 0 || y >= height || column < 0 || column >= width) continue;
          sum +=
            x[((n * inChannels + c) * height + y) * width + column]! *
            weight[((o * inChannels + c) * k + ky) * k + kx]!;
        }
      }
    }
    out[i] = sum;
  }
  return out;
}

/** (x - mean) * scale + shift of every channel, and with `swish` that times its sigmoid. */
function normed(
  { height, width, norm }: Conv2dParams,
  { x, affine }: Conv2dInputs,
): ArrayLike<number> {
  if (!norm) return x;
  return Float64Array.from(x, (v, i) => {
    const at = 4 * Math.floor(i / (height * width));
    const h = (v - affine![at]!) * affine![at + 1]! + affine![at + 2]!;
    return norm === 'swish' ? h / (1 + Math.exp(-h)) : h;
  });
}

/** Nearest-neighbour interpolation to twice the size. */
function doubled(
  { images, inChannels, height, width }: Conv2dParams,
  x: ArrayLike<number>,
): { x: Float64Array; height: number; width: number } {
  const big = new Float64Array(images * inChannels * height * width * 4);
  for (let i = 0; i < big.length; i++) {
    const column = i % (2 * width);
    const y = Math.floor(i / (2 * width)) % (2 * height);
    const plane = Math.floor(i / (4 * width * height));
    big[i] = x[(plane * height + Math.floor(y / 2)) * width + Math.floor(column / 2)]!;
  }
  return { x: big, height: 2 * height, width: 2 * width };
}
