/** Pixels to codes. Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, encode and Encoder. */
import { codebookLookup } from '../../kernels/embed/codebook-lookup.ts';
import { nearestCode } from '../../kernels/embed/nearest-code.ts';
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

export interface VqEncoder {
  /** State f32 [images, inChannels, height, width]: values from -1 to 1. */
  readonly x: Tensor;
  /** conv_in, level0 .. (high to low resolution), mid0 .. mid2, conv_out and, if asked for, norm_out. */
  readonly stages: VqStages;
  /** f32 [images, codebookEmbedDim, h, w]: what is quantised, not normalised. */
  readonly latent: Tensor;
  /** u32 [images, h * w]: the nearest codes, row by row; NO_TOKEN where the latent is not finite. */
  readonly indices: Tensor;
  /** f32 [images, codebookEmbedDim, h, w]: their vectors. */
  readonly quant: Tensor;
}

/**
 * The encoder for `images` images of height x width pixels. Each level but the last halves the size,
 * rounding down.
 * @throws OptionError when an image is too small for the levels.
 */
export function vqEncoder(
  g: Graph,
  config: VqConfig,
  shape: VqShape,
  options: VqOptions,
): VqEncoder {
  checkShape('encoder', shape, 2 ** (config.encoderChMult.length - 1));
  const { codebookSize, codebookEmbedDim, codebookL2Norm: l2Norm, zChannels, inChannels } = config;
  const v: VqContext = { ...options, g };
  const { dtype } = options;

  const x = g.state('x', 'f32', [shape.images, inChannels, shape.height, shape.width]);
  const stages: Record<string, Tensor> = {};
  const h = midBlocks(v, 'encoder.mid', levels(v, config, x, stages), stages);
  stages.conv_out = outBlocks(v, 'encoder', h, zChannels, stages);
  const latent = conv(v, 'quant_conv', stages.conv_out, {
    outChannels: codebookEmbedDim,
    kernelSize: 1,
  });

  const { images, height, width } = sizesOf(latent);
  const table = [codebookSize, codebookEmbedDim];
  const codebook = g.weight(CODEBOOK, dtype, table);
  const params = {
    ...{ images, height, width, codebookSize, codebookEmbedDim, l2Norm, dtype },
  };
  const { indices } = g.call(nearestCode(params), { latents: latent, codebook });
  const quant = g.call(codebookLookup(params), { codes: indices, codebook }).zq;
  return { x, stages, latent, indices, quant };
}

/** Everything from conv_in to the last level. Attention is in the level of lowest resolution. */
function levels(
  v: VqContext,
  { ch, encoderChMult, numResBlocks }: VqConfig,
  x: Tensor,
  stages: Record<string, Tensor>,
): Tensor {
  let h = conv(v, 'encoder.conv_in', x, { outChannels: ch, kernelSize: 3 });
  stages.conv_in = h;
  const last = encoderChMult.length - 1;
  for (const [level, multiplier] of encoderChMult.entries()) {
    const name = `encoder.conv_blocks.${level}`;
    const outChannels = multiplier * ch;
    for (let block = 0; block < numResBlocks; block++) {
      h = resnetBlock(v, `${name}.res.${block}`, h, outChannels);
      if (level === last) h = attnBlock(v, `${name}.attn.${block}`, h);
    }
    if (level < last) {
      h = conv(v, `${name}.downsample.conv`, h, { outChannels, kernelSize: 3, stride: 2 });
    }
    stages[`level${level}`] = h;
  }
  return h;
}
