/** How many pictures a tokenizer decodes in one run of its decoder. */
import { bindingLimit } from '../gpu/variants.ts';
import { Graph } from '../graph/graph.ts';
import { plan } from '../graph/plan.ts';
import type { Network } from '../load/network.ts';
import type { VqConfig } from '../models/vq-config.ts';
import { vqOptions } from '../models/vq-options.ts';
import type { GridSize } from './images.ts';

/** More keep no GPU busier: eight of 384x384 are 1.2 million pixels in the last layers. */
const MOST_IMAGES = 8;

/**
 * Most pictures of a run, a power of two: each result between kernels must fit one binding, and all of
 * them together must stay below `maxBufferSize`, which is all that WebGPU says of a device's memory. Eight
 * pictures of 384x384 take 1.8 GB. At least 1, which is refused with numbers when it is built where even
 * that does not fit. 1 without barriers: software adapters are as busy with one.
 */
export async function imagesARun(
  { config, precision, memory }: Pick<Network<VqConfig>, 'config' | 'precision' | 'memory'>,
  [height, width]: GridSize,
): Promise<number> {
  if (precision.variant.reduce === 'serial') return 1;
  const { vqDecoder } = await import('../models/vq-decoder.ts');
  const g = new Graph();
  const { rgba } = vqDecoder(g, config, { images: 1, height, width }, vqOptions(precision));
  const { slots } = plan(g.nodes, new Set([rgba]));
  const { limits } = memory.device;
  // Everything between kernels grows with the images.
  const fitting = Math.min(
    bindingLimit({ limits }) / Math.max(...slots),
    limits.maxBufferSize / slots.reduce((a, b) => a + b, 0),
  );
  return floorPower(Math.max(1, Math.min(MOST_IMAGES, fitting)));
}

/** The largest power of two that is not above a number from 1 on. */
export const floorPower = (value: number): number => 2 ** Math.floor(Math.log2(value));
