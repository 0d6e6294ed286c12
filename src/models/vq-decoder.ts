/** Codes to pixels. Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, decode_code and Decoder. */

import { toRgba } from '../../kernels/conv/to-rgba.ts';
import { codebookLookup } from '../../kernels/embed/codebook-lookup.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import {
  attnBlock,
  checkShape,
  conv,
  midBlocks,
  outBlocks,
  resnetBlock,
  sizesOf,
  type VqContext,
  type VqShape,
  type VqStages,
} from './vq-blocks.ts';
import { CODEBOOK, type VqConfig } from './vq-config.ts';
import type { VqOptions } from './vq-options.ts';

export interface VqDecoder {
  /** State u32 [images, height * width]: the codes, row by row. */
  readonly codes: Tensor;
  /** f32 [images, codebookEmbedDim, height, width]. */
  readonly zq: Tensor;
  /** f32 [images, zChannels, height, width]. */
  readonly postQuant: Tensor;
  /** conv_in, mid0 .. mid2, level0 .. (low to high resolution) and, if asked for, norm_out. */
  readonly stages: VqStages;
  /** f32 [images, 3, height * f, width * f] with f = `downsampleOf(config)`; not clamped. */
  readonly image: Tensor;
  /** u32 [images, height * f, width * f], bytes R, G, B, A; 0 where a colour is not finite. */
  readonly rgba: Tensor;
}

/**
 * The decoder for `images` grids of height x width codes.
 * @throws OptionError when a size is not a positive whole number.
 */
export function vqDecoder(
  g: Graph,
  config: VqConfig,
  shape: VqShape,
  options: VqOptions,
): VqDecoder {
  checkShape('decoder', shape, 1);
  const { images, height, width } = shape;
  const { codebookSize, codebookEmbedDim, codebookL2Norm: l2Norm, zChannels, outChannels } = config;
  const v: VqContext = { ...options, g };
  const { dtype } = options;

  const codes = g.state('codes', 'u32', [images, height * width]);
  const table = [codebookSize, codebookEmbedDim];
  const codebook = g.weight(CODEBOOK, dtype, table);
  const lookup = codebookLookup({
    ...{ images, height, width, codebookSize, codebookEmbedDim, l2Norm, dtype },
  });
  const { zq } = g.call(lookup, { codes, codebook });
  const postQuant = conv(v, 'post_quant_conv', zq, { outChannels: zChannels, kernelSize: 1 });

  const stages: Record<string, Tensor> = {};
  const h = levels(v, config, postQuant, stages);
  const image = outBlocks(v, 'decoder', h, outChannels, stages);
  const { channels: _, ...size } = sizesOf(image);
  const { rgba } = g.call(toRgba(size), { image });
  return { codes, zq, postQuant, stages, image, rgba };
}

/** Everything from conv_in to the last level. Attention is in the level of lowest resolution. */
function levels(
  v: VqContext,
  { ch, decoderChMult, numResBlocks }: VqConfig,
  x: Tensor,
  stages: Record<string, Tensor>,
): Tensor {
  const channels = decoderChMult.map((m) => m * ch).reverse();
  let h = conv(v, 'decoder.conv_in', x, { outChannels: channels[0] ?? ch, kernelSize: 3 });
  stages.conv_in = h;
  h = midBlocks(v, 'decoder.mid', h, stages);
  for (const [level, outChannels] of channels.entries()) {
    const name = `decoder.conv_blocks.${level}`;
    for (let block = 0; block <= numResBlocks; block++) {
      h = resnetBlock(v, `${name}.res.${block}`, h, outChannels);
      if (level === 0) h = attnBlock(v, `${name}.attn.${block}`, h);
    }
    if (level < channels.length - 1) {
      h = conv(v, `${name}.upsample.conv`, h, { outChannels, kernelSize: 3, upsample: true });
    }
    stages[`level${level}`] = h;
  }
  return h;
}
