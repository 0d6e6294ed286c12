/** Convolutions and norms of the VQ networks, by the names of their weights. */

import { halvesOfFilter } from '../../kernels/conv/halves-of-filter.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type ConvOpParams, conv as convolution, loadsHalves } from '../ops/conv.ts';
import { formOf, type Normed, sizesOf } from '../ops/normed.ts';
import { type Ops, run } from '../ops/operation.ts';
import { VQ_GROUPS } from './vq-config.ts';

export { sizesOf } from '../ops/normed.ts';

/** A graph under construction and how its kernels are made. */
export interface VqKernels extends Ops {
  /** Storage of filters and codebook on the device; norms and biases stay f32. */
  readonly dtype: 'f32' | 'f16';
}

export interface ConvOptions {
  readonly outChannels: number;
  readonly kernelSize: 1 | 3;
  readonly upsample?: boolean | undefined;
  readonly stride?: 1 | 2 | undefined;
  /** Added to the result. */
  readonly residual?: Tensor | undefined;
}

/** The state-dict name of a part; the root module has the empty name. */
export const join = (module: string, part: string): string => (module ? `${module}.${part}` : part);

/** GroupNorm with the weights `name`.weight and `name`.bias, before convolutions that read x. */
export function normed({ g }: VqKernels, name: string, x: Tensor, kind: Normed['kind']): Normed {
  const { channels } = sizesOf(x);
  const weight = g.weight(join(name, 'weight'), 'f32', [channels]);
  const bias = g.weight(join(name, 'bias'), 'f32', [channels]);
  return { x, groups: VQ_GROUPS, kind, weight, bias, made: new Map() };
}

/** The same as a map. */
export const norm = (v: VqKernels, name: string, x: Tensor, kind: Normed['kind']): Tensor =>
  formOf(v.g, normed(v, name, x, kind), 'map', v.variant);

/** Conv2d of a map, or of one through a norm, with the weights `name`.weight and `name`.bias. */
export function conv(
  v: VqKernels,
  name: string,
  from: Tensor | Normed,
  { residual, ...options }: ConvOptions,
): Tensor {
  const { g, dtype, variant } = v;
  const { channels: inChannels, ...sizes } = sizesOf('made' in from ? from.x : from);
  const params: ConvOpParams = { ...sizes, inChannels, dtype, variant, ...options };
  const halvesOfWeight = loadsHalves(params, v.tiles?.conv);
  const weight = filters(g, join(name, 'weight'), params, halvesOfWeight);
  const bias = g.weight(join(name, 'bias'), 'f32', [options.outChannels]);
  const inputs = { from, weight, bias, residual };
  return run(v, convolution, { ...params, halvesOfWeight }, inputs);
}

function filters(
  g: Graph,
  name: string,
  { inChannels, outChannels, kernelSize, upsample = false, dtype = 'f32' }: ConvOpParams,
  halves: boolean,
): Tensor {
  if (halves) {
    const layer = { inChannels, outChannels, kernelSize, upsample, dtype };
    return g.madeWeight(name, halvesOfFilter(layer));
  }
  return g.weight(name, dtype, [outChannels, inChannels, kernelSize, kernelSize]);
}
