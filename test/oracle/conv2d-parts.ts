/** Oracle of `conv2dParts`: out[s] is the convolution with the weights of part s alone, without bias. */
import type { Conv2dParams } from '../../kernels/conv/conv2d.ts';
import { type Conv2dInputs, conv2d } from './conv2d.ts';

/** Weights of an output channel, over input channels and taps, are cut into parts of whole slices. */
export function conv2dParts(
  params: Conv2dParams,
  { split, slice }: { readonly split: number; readonly slice: number },
  { weight, ...inputs }: Omit<Conv2dInputs, 'bias'>,
): Float64Array {
  const { inChannels, outChannels, kernelSize } = params;
  const each = inChannels * kernelSize ** 2;
  const size = Math.ceil(Math.ceil(each / slice) / split) * slice;
  const parts = Array.from({ length: split }, (_, part) => {
    const own = Float64Array.from(weight, (v, i) =>
      Math.floor((i % each) / size) === part ? v : 0,
    );
    return conv2d(params, { ...inputs, weight: own, bias: new Float64Array(outChannels) });
  });
  return Float64Array.from(parts.flatMap((part) => [...part]));
}
