/** What the convolution kernels share: parameters, sizes, bindings, and the norm of what they read. */
import {
  assert,
  assertSizes,
  type Binding,
  type Bindings,
  type Identity,
  type Kernel,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import type { Rules } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';

export interface ConvParams {
  readonly images: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Rows of the input. */
  readonly height: number;
  /** Columns of the input. */
  readonly width: number;
  /** Rows and columns of the filter. */
  readonly kernelSize: 1 | 3;
  /** Double the input by nearest neighbour first; folded into the reads. Default false. */
  readonly upsample?: boolean | undefined;
  /** 2 pads one zero row below and one column to the right, and nothing else. Default 1. */
  readonly stride?: 1 | 2 | undefined;
  /** Add the binding `residual`, shaped like the output. Default false. */
  readonly residual?: boolean | undefined;
  /**
   * Read (x - mean) * scale + bias instead of x, with the binding `affine` of `groupAffine`; with `swish`,
   * v * sigmoid(v) of that. Padding is zero after it. Default none.
   */
  readonly norm?: 'plain' | 'swish' | undefined;
  /** Storage of the weights; the bias is f32. Default f32. */
  readonly dtype?: 'f32' | 'f16' | undefined;
}

export type ConvBindings = {
  readonly x: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type ResidualConvBindings = ConvBindings & { readonly residual: Binding<'in'> };

/** Most output channels of `convFew`: the four of a vec4f. */
export const FEW_CHANNELS = 4;

type MapShape = readonly [images: number, channels: number, height: number, width: number];

export interface ConvSizes {
  readonly outHeight: number;
  readonly outWidth: number;
  readonly inShape: MapShape;
  readonly outShape: MapShape;
  /** Zero rows above and columns to the left. */
  readonly pad: number;
  /** Multiply-adds. */
  readonly macs: number;
}

/** Rules of what whole convolutions and their parts take, which have a residual or none. */
export const CONV_RULES: Rules<Omit<ConvParams, 'residual'>> = {
  images: rule.size,
  inChannels: rule.size,
  outChannels: rule.size,
  height: rule.size,
  width: rule.size,
  kernelSize: rule.kernelSize,
  upsample: rule.optional(rule.flag),
  stride: rule.optional(rule.stride),
  norm: rule.optional(rule.norm),
  dtype: rule.optional(rule.floatDtype),
};

/**
 * Sizes of the output and of everything between.
 * @param name The kernel, for errors.
 * @throws RangeError where parameters exclude each other, or nothing is left of a map.
 */
export function convSizes(params: ConvParams, name = 'conv'): ConvSizes {
  const { images, inChannels, outChannels, height, width, kernelSize } = params;
  const { upsample = false, stride = 1 } = params;
  assert(
    kernelSize === 3 || (stride === 1 && !upsample),
    `${name}: a 1x1 filter has neither stride nor upsample`,
  );
  assert(stride === 1 || !upsample, `${name}: stride 2 and upsample exclude each other`);
  const outSize = (size: number): number =>
    upsample ? 2 * size : stride === 2 ? Math.floor((size - 2) / 2) + 1 : size;
  const [outHeight, outWidth] = [outSize(height), outSize(width)];
  assertSizes(name, { outHeight, outWidth });
  return {
    outHeight,
    outWidth,
    inShape: [images, inChannels, height, width],
    outShape: [images, outChannels, outHeight, outWidth],
    pad: kernelSize === 3 && stride === 1 ? 1 : 0,
    macs: images * outChannels * outHeight * outWidth * inChannels * kernelSize ** 2,
  };
}

/** Whether `convFew` can make a layer. */
export const isFew = ({ outChannels, kernelSize, upsample, stride = 1 }: ConvParams): boolean =>
  kernelSize === 3 && stride === 1 && !upsample && outChannels <= FEW_CHANNELS;

/** All of a whole convolution but how it is made. */
export function describeConv(
  identity: Identity,
  params: ConvParams,
): Omit<Kernel, 'code' | 'workgroups'> {
  const { name } = identity;
  const { outChannels, residual = false } = params;
  const { outShape, macs } = convSizes(params, name);
  const bindings: Bindings = {
    ...convInputs(params),
    bias: { role: 'in', dtype: 'f32', shape: [outChannels] },
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape: outShape } }),
    out: { role: 'out', dtype: 'f32', shape: outShape },
  };
  assertIndexable(name, bindings);
  return { ...identity, label: convLabel(name, params), bindings, cost: { operations: 2 * macs } };
}

/** Bindings in their order, without the output. */
export function convInputs(params: ConvParams): Pick<ConvBindings, 'x' | 'weight'> {
  const { images, inChannels, outChannels, kernelSize: k, norm, dtype = 'f32' } = params;
  const shape = convSizes(params).inShape;
  return {
    x: { role: 'in', dtype: 'f32', shape },
    ...(norm && {
      affine: { role: 'in', dtype: 'f32', shape: [images, inChannels, 4], element: 'vec4f' },
    }),
    weight: { role: 'in', dtype, shape: [outChannels, inChannels, k, k] },
  };
}

/** `fn normed(v: f32, affine: vec4f) -> f32`, for kernels that normalise what they read; or of vectors. */
export const normedLib = (norm: ConvParams['norm'], type: 'f32' | 'vec4f' = 'f32'): string =>
  norm
    ? `fn normed(v: ${type}, affine: vec4f) -> ${type} {
  let h = (v - affine.x) * affine.y + affine.z;
  return ${norm === 'swish' ? 'h / (1.0 + exp(-h))' : 'h'};
}`
    : '';

/**
 * Name and sizes of a convolution, and what is particular about it.
 * @param parts Of its sums, as the label has them.
 */
export function convLabel(name: string, params: ConvParams, parts = ''): string {
  const { kernelSize: k, upsample, stride, residual, norm, dtype } = params;
  const { inShape, outShape } = convSizes(params, name);
  const notes = [
    upsample && ' upsample',
    stride === 2 && ' stride 2',
    norm && (norm === 'swish' ? ' norm swish' : ' norm'),
    residual && ' residual',
    dtype === 'f16' && ' f16 weight',
  ];
  return `${name} ${k}x${k}${parts}${notes.filter(Boolean).join('')} f32[${inShape}]->[${outShape}]`;
}
