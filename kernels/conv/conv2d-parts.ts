import { declare, enable, type Kernel } from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Conv2dParams, convGemm } from './conv-gemm.ts';
import { CONV_RULES, type ConvBindings, convInputs, convLabel, convSizes } from './conv-shape.ts';

export interface Conv2dPartsParams extends Omit<Conv2dParams, 'residual'> {
  /** Parts of the sum. */
  readonly split: number;
}

export type ConvPartsBindings = Omit<ConvBindings, 'bias'>;

/**
 * The parts of a convolution's sums: out[s] is the sum over part s of input channels and taps, without
 * bias and residual; `sumParts` adds them. Parts are of whole slices of the tile. For layers of too few pixels
 * to keep a GPU busy: it has barriers under `serial` too.
 *
 * Shapes: out [split, images, outChannels, outHeight, outWidth], the others those of `conv2d`.
 */
export function conv2dParts(params: Conv2dPartsParams): Kernel<ConvPartsBindings> {
  const identity = assertParams('conv2d_parts', params, {
    ...CONV_RULES,
    split: rule.size,
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { name } = identity;
  const { split } = params;
  const { outShape, macs } = convSizes(params, name);
  const [, channels, height, width] = outShape;
  const bindings: ConvPartsBindings = {
    ...convInputs(params),
    out: { role: 'out', dtype: 'f32', shape: [split, ...outShape] },
  };
  assertIndexable(name, bindings);
  const loop = convGemm(name, params, split);
  const code = wgsl`${enable(loop.features)}
${declare(bindings)}
fn store(batch: u32, m: u32, n: u32, sum: f32) {
  out[(batch * ${channels}u + m) * ${height * width}u + n] = sum;
}
${loop.code}`;
  return {
    ...identity,
    label: convLabel(name, params, ` in ${split}`),
    code,
    bindings,
    workgroups: loop.workgroups,
    features: loop.features,
    cost: { operations: 2 * macs },
  };
}
