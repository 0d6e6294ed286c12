/** Oracle of `convHalves` and `convHalvesParts`: bias + the sum over taps and channels, of maps with the channels last (+ residual). */
import type { ConvHalvesParams, ConvHalvesPartsParams } from '../../kernels/conv/conv-halves.ts';

export interface ConvHalvesInputs {
  readonly x: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
  readonly bias?: ArrayLike<number>;
  readonly residual?: ArrayLike<number>;
}

/** @param slice Values of k in a slice; parts are of whole slices. */
export function convHalves(
  params: ConvHalvesParams & Partial<ConvHalvesPartsParams>,
  { x, weight, bias, residual }: ConvHalvesInputs,
  slice: number,
): Float64Array {
  const { images, inChannels, outChannels, height, width, kernelSize: size } = params;
  const { split = 1, upsample = false } = params;
  // Of a doubled map: even and odd rows have filters of their own, of two rows.
  const turns = upsample ? 2 : 1;
  const [rows, columns] = [height / turns + size - 1, width + size - 1];
  const count = (upsample ? 2 : size) * size * inChannels;
  const part = Math.ceil(Math.ceil(count / slice) / split) * slice;
  const plane = images * outChannels * height * width;
  const out = new Float64Array(split * plane);
  for (let i = 0; i < out.length; i++) {
    const at = i % plane;
    const column = at % width;
    const y = Math.floor(at / width) % height;
    const o = Math.floor(at / width / height) % outChannels;
    const n = Math.floor(at / width / height / outChannels);
    let sum = (bias?.[o] ?? 0) + (residual?.[at] ?? 0);
    const first = Math.floor(i / plane) * part;
    for (let k = first; k < Math.min(first + part, count); k++) {
      const c = k % inChannels;
      const tap = Math.floor(k / inChannels);
      const odd = y % turns;
      const row = Math.floor(y / turns) + odd + Math.floor(tap / size);
      const from = ((n * rows + row) * columns + column + (tap % size)) * inChannels + c;
      sum += x[from]! * weight[(odd * outChannels + o) * count + k]!;
    }
    out[i] = sum;
  }
  return out;
}
