/**
 * The building blocks that VQ encoder and decoder share, as graph calls. Weights have the names of
 * the official modules. Source: LlamaGen tokenizer/tokenizer_image/vq_model.py.
 */

import { softmaxRows } from '../../kernels/norm/softmax-rows.ts';
import { OptionError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { pixelMix, pixelScores } from '../ops/map.ts';
import { run } from '../ops/operation.ts';
import { conv, join, norm, normed, sizesOf } from './vq-conv.ts';
import type { VqOptions } from './vq-options.ts';

export { conv, norm, sizesOf } from './vq-conv.ts';

/** Images, or grids of codes, of one size. */
export interface VqShape {
  readonly images: number;
  /** Rows. */
  readonly height: number;
  /** Columns. */
  readonly width: number;
}

/** Feature maps [images, channels, height, width] after each part of a network, by its name. */
export type VqStages = Readonly<Record<string, Tensor>>;

/** A graph under construction and how its kernels are made. */
export interface VqContext extends VqOptions {
  readonly g: Graph;
}

/** Throws an OptionError unless every size is a whole number of at least `min`. */
export function checkShape(what: string, shape: VqShape, min: number): void {
  const { images, height, width } = shape;
  for (const [name, value, least] of [
    ['images', images, 1],
    ['height', height, min],
    ['width', width, min],
  ] as const) {
    if (Number.isInteger(value) && value >= least) continue;
    throw new OptionError(
      `${what}: "${name}" expected a whole number of at least ${least}, got ${value}`,
    );
  }
}

/** ResnetBlock: x + conv2(swish(norm2(conv1(swish(norm1(x)))))); x through a 1x1 filter if the channels change. */
export function resnetBlock(v: VqContext, name: string, x: Tensor, outChannels: number): Tensor {
  const at = (part: string): string => join(name, part);
  const x1 = normed(v, at('norm1'), x, 'swish');
  const h = conv(v, at('conv1'), x1, { outChannels, kernelSize: 3 });
  const same = sizesOf(x).channels === outChannels;
  const residual = same ? x : conv(v, at('nin_shortcut'), x, { outChannels, kernelSize: 1 });
  const x2 = normed(v, at('norm2'), h, 'swish');
  return conv(v, at('conv2'), x2, { outChannels, kernelSize: 3, residual });
}

/** AttnBlock: x + proj_out(attention over all pixels, one head over all channels). */
export function attnBlock(v: VqContext, name: string, x: Tensor): Tensor {
  const { g, variant } = v;
  const sizes = sizesOf(x);
  const { images, channels: outChannels, height, width } = sizes;
  const pixels = height * width;
  const at = (part: string): string => join(name, part);
  const h = normed(v, at('norm'), x, 'plain');
  const project = (part: string): Tensor => conv(v, at(part), h, { outChannels, kernelSize: 1 });
  const [q, k] = [project('q'), project('k')];
  const scores = run(v, pixelScores, { ...sizes, variant }, { q, k });
  const softmax = softmaxRows({ rows: images * pixels, length: pixels, variant });
  const probs = g.call(softmax, { x: scores }).out;
  const mixed = run(v, pixelMix, { ...sizes, variant }, { v: project('v'), probs });
  return conv(v, at('proj_out'), mixed, { outChannels, kernelSize: 1, residual: x });
}

/** ResnetBlock, AttnBlock, ResnetBlock at the lowest resolution; each into `stages`. */
export function midBlocks(
  v: VqContext,
  name: string,
  x: Tensor,
  stages: Record<string, Tensor>,
): Tensor {
  const { channels } = sizesOf(x);
  const mid0 = resnetBlock(v, `${name}.0`, x, channels);
  const mid1 = attnBlock(v, `${name}.1`, mid0);
  const mid2 = resnetBlock(v, `${name}.2`, mid1, channels);
  Object.assign(stages, { mid0, mid1, mid2 });
  return mid2;
}

/** norm_out, swish and conv_out. */
export function outBlocks(
  v: VqContext,
  name: string,
  x: Tensor,
  outChannels: number,
  stages: Record<string, Tensor>,
): Tensor {
  if (v.stages) stages.norm_out = norm(v, `${name}.norm_out`, x, 'plain');
  const h = normed(v, `${name}.norm_out`, x, 'swish');
  return conv(v, `${name}.conv_out`, h, { outChannels, kernelSize: 3 });
}
