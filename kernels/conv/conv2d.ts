import {
  type Binding,
  type Bindings,
  type Dispatch,
  declare,
  enable,
  type Kernel,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl.ts';
import { mapProduct } from '../product/map-product.ts';
import { convDirect } from './conv-direct.ts';
import { convFew } from './conv-few.ts';
import { convGemm } from './conv-gemm.ts';
import {
  CONV_RULES,
  type Conv2dParams,
  type ConvTile,
  convInputs,
  convNotes,
  convSizes,
  convTile,
} from './conv-shape.ts';

export {
  CONV_SETTINGS,
  type Conv2dParams,
  type ConvMethod,
  type ConvTile,
  convProblem,
  convTile,
  convTiles,
} from './conv-shape.ts';

export type Conv2dBindings = {
  readonly x: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type ResidualConv2dBindings = Conv2dBindings & { readonly residual: Binding<'in'> };
export type ConvPartsBindings = Omit<Conv2dBindings, 'bias'>;

/** All of a convolution but how it is made. */
function describe(params: Conv2dParams) {
  const { outChannels, kernelSize: k, residual = false } = params;
  const { identity, inShape, outShape, macs } = convSizes(params);
  const bindings: Bindings = {
    ...convInputs(params),
    bias: { role: 'in', dtype: 'f32', shape: [outChannels] },
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape: outShape } }),
    out: { role: 'out', dtype: 'f32', shape: outShape },
  };
  assertIndexable('conv2d', bindings);
  const label = `conv2d ${k}x${k}${convNotes(params)} f32[${inShape}]->[${outShape}]`;
  return { ...identity, label, bindings, cost: { operations: 2 * macs } };
}

/**
 * Convolution: out[n, o, y, x] = bias[o] + sum_{c, ky, kx} weight[o, c, ky, kx] *
 * in[n, c, stride * y + ky - pad, stride * x + kx - pad] (+ residual[n, o, y, x]), with zeros outside
 * the image; `in` is x, or x normalised, or x doubled; pad is (k - 1) / 2, or 0 with stride 2.
 *
 * Shapes: x [images, inChannels, height, width], weight [outChannels, inChannels, k, k], bias
 * [outChannels], affine [images, inChannels, 4], residual and out [images, outChannels, outHeight,
 * outWidth]; the output has the size of the input, twice that with `upsample`, or
 * floor((size - 2) / 2) + 1 with stride 2. Sums in f32.
 * Always one dispatch: where `convTile` says winograd or a split, this is the way without.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, the Conv2d of Encoder, Decoder, ResnetBlock
 * and AttnBlock, Upsample (nearest, then conv) and Downsample (asymmetric padding).
 */
export function conv2d(params: Conv2dParams & { residual: true }): Kernel<ResidualConv2dBindings>;
export function conv2d(params: Conv2dParams & { residual?: false }): Kernel<Conv2dBindings>;
export function conv2d(params: Conv2dParams): Kernel;
export function conv2d(params: Conv2dParams): Kernel {
  const { residual = false, norm, kernelSize, variant } = params;
  const described = describe(params);
  const { bindings } = described;
  const tile = convTile(params);
  const serial = variant?.reduce === 'serial';
  if (tile.method === 'direct' || (tile.method === 'winograd' && serial)) {
    return { ...described, ...convDirect(params, bindings) };
  }
  if (tile.method === 'few') return { ...described, ...convFew(params, bindings) };
  if (serial && kernelSize === 1 && !norm) {
    return { ...described, ...pointwise(params, described.label, bindings) };
  }
  const loop = convGemm(params, { ...tile, split: 1 });
  const { outShape } = convSizes(params);
  const code = wgsl`${enable(loop.features)}
${declare(bindings)}
fn store(batch: u32, m: u32, n: u32, sum: f32) {
  let at = (batch * ${outShape[1]}u + m) * ${outShape[2] * outShape[3]}u + n;
  out[at] = sum + bias[m]${residual ? ' + residual[at]' : ''};
}
${loop.code}`;
  const { workgroups, features } = loop;
  return { ...described, code, workgroups, features };
}

/** A 1x1 convolution, as the product it is. */
function pointwise(params: Conv2dParams, label: string, bindings: Bindings): Dispatch {
  const { images, inChannels, outChannels, height, width, dtype = 'f32' } = params;
  const pixels = height * width;
  return mapProduct(
    {
      ...{
        name: 'conv2d',
        label,
        batch: images,
        m: outChannels,
        n: pixels,
        k: inChannels,
        bias: 'bias',
      },
      left: { name: 'weight', dtype, line: inChannels, k: 1, batch: 0 },
      right: { name: 'x', line: 1, k: pixels, batch: inChannels * pixels },
      ...(params.residual && { residual: 'residual' }),
      variant: params.variant,
    },
    bindings,
  );
}

export interface Conv2dPartsParams extends Omit<Conv2dParams, 'residual' | 'tile'> {
  /** Settings that differ from the own choice; `split` says how many parts there are. */
  readonly tile?: Partial<ConvTile> | undefined;
}

/**
 * The parts of a convolution's sums: out[s] is the sum over part s of input channels and taps, without
 * bias and residual; `sumParts` adds them. For layers of too few pixels to keep a GPU busy: it has barriers
 * under `serial` too.
 *
 * Shapes: out [split, images, outChannels, outHeight, outWidth] with `split` of the tile.
 */
export function conv2dParts(params: Conv2dPartsParams): Kernel<ConvPartsBindings> {
  const identity = assertParams('conv2d_parts', params, CONV_RULES);
  const { kernelSize: k } = params;
  const { inShape, outShape, macs } = convSizes(params);
  const tile = convTile(params);
  const [, channels, height, width] = outShape;
  const out = { role: 'out', dtype: 'f32', shape: [tile.split, ...outShape] } as const;
  const inputs = convInputs(params) as Omit<ConvPartsBindings, 'out'>;
  const bindings: ConvPartsBindings = { ...inputs, out };
  assertIndexable('conv2d', bindings);
  const loop = convGemm(params, tile);
  const code = wgsl`${enable(loop.features)}
${declare(bindings)}
fn store(batch: u32, m: u32, n: u32, sum: f32) {
  out[(batch * ${channels}u + m) * ${height * width}u + n] = sum;
}
${loop.code}`;
  return {
    ...identity,
    label: `conv2d_parts ${k}x${k} in ${tile.split}${convNotes(params)} f32[${inShape}]->[${outShape}]`,
    code,
    bindings,
    workgroups: loop.workgroups,
    features: loop.features,
    cost: { operations: 2 * macs },
  };
}
