import { type Dispatch, declare, enable, type Kernel } from '../kernel.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { mapProduct } from '../product/map-product.ts';
import { type Conv2dParams, convGemm } from './conv-gemm.ts';
import {
  CONV_RULES,
  type ConvBindings,
  convSizes,
  describeConv,
  type ResidualConvBindings,
} from './conv-shape.ts';

export type { Conv2dParams } from './conv-gemm.ts';
export type { ConvBindings, ConvParams, ResidualConvBindings } from './conv-shape.ts';

/**
 * Convolution: out[n, o, y, x] = bias[o] + sum_{c, ky, kx} weight[o, c, ky, kx] *
 * in[n, c, stride * y + ky - pad, stride * x + kx - pad] (+ residual[n, o, y, x]), with zeros outside
 * the image; `in` is x, or x normalised, or x doubled; pad is (k - 1) / 2, or 0 with stride 2.
 *
 * Shapes: x [images, inChannels, height, width], weight [outChannels, inChannels, k, k], bias
 * [outChannels], affine [images, inChannels, 4], residual and out [images, outChannels, outHeight,
 * outWidth]; the output has the size of the input, twice that with `upsample`, or
 * floor((size - 2) / 2) + 1 with stride 2. Sums in f32.
 * A product of maps, whose columns are read by im2col. Under `serial` only 1x1 filters without a norm have no
 * barriers; `convDirect` has none for any layer.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, the Conv2d of Encoder, Decoder, ResnetBlock
 * and AttnBlock, Upsample (nearest, then conv) and Downsample (asymmetric padding).
 */
export function conv2d(params: Conv2dParams & { residual: true }): Kernel<ResidualConvBindings>;
export function conv2d(params: Conv2dParams & { residual?: false }): Kernel<ConvBindings>;
export function conv2d(params: Conv2dParams): Kernel;
export function conv2d(params: Conv2dParams): Kernel {
  const identity = assertParams('conv2d', params, {
    ...CONV_RULES,
    residual: rule.optional(rule.flag),
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { residual = false, norm, kernelSize, variant } = params;
  const described = describeConv(identity, params);
  if (variant?.reduce === 'serial' && kernelSize === 1 && !norm) {
    return { ...described, ...pointwise(params, described) };
  }
  const loop = convGemm(identity.name, params);
  const [, channels, height, width] = convSizes(params).outShape;
  const code = wgsl`${enable(loop.features)}
${declare(described.bindings)}
fn store(batch: u32, m: u32, n: u32, sum: f32) {
  let at = (batch * ${channels}u + m) * ${height * width}u + n;
  out[at] = sum + bias[m]${residual ? ' + residual[at]' : ''};
}
${loop.code}`;
  const { workgroups, features } = loop;
  return { ...described, code, workgroups, features };
}

/** A 1x1 convolution without barriers, as the product it is. */
function pointwise(
  { images, inChannels, outChannels, height, width, dtype, residual, variant, tile }: Conv2dParams,
  { name, label, bindings }: Pick<Kernel, 'name' | 'label' | 'bindings'>,
): Dispatch {
  const pixels = height * width;
  return mapProduct(
    {
      ...{ name, label, batch: images, m: outChannels, n: pixels, k: inChannels, bias: 'bias' },
      left: { name: 'weight', dtype, line: inChannels, k: 1, batch: 0 },
      right: { name: 'x', line: 1, k: pixels, batch: inChannels * pixels },
      ...(residual && { residual: 'residual' }),
      ...{ variant, tile },
    },
    bindings,
  );
}
