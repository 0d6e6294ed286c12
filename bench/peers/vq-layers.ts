/** The order of layers of the VQ decoder, for runtimes that bring their own operators. */
import type { VqConfig } from '../../src/models/vq-config.ts';
import type { Safetensors } from '../../src/weights/safetensors.ts';
import { floatsOf } from './workload.ts';

/** What a runtime does to feature maps of one image; `X` is its handle of one, `side` pixels wide and high. */
export interface LayerOps<X> {
  /** Rows of the table by code, as a feature map. */
  lookup(
    codes: X,
    table: { readonly shape: readonly number[]; readonly data: Float32Array<ArrayBuffer> },
    side: number,
  ): X;
  /** Convolution with `name`.weight and `name`.bias that keeps the size. */
  conv(x: X, name: string, kernel: 1 | 3): Promise<X>;
  /** GroupNorm with `name`.weight and `name`.bias. */
  norm(x: X, name: string, channels: number, side: number): Promise<X>;
  swish(x: X): X;
  add(x: X, y: X): X;
  /** Every pixel four times. */
  upsample(x: X): X;
  /** One head over all channels, every pixel over every pixel. */
  attention(q: X, k: X, v: X, channels: number, side: number): X;
}

/** Codes to an image, by the official names. */
export async function decoderLayers<X>(
  config: VqConfig,
  file: Safetensors,
  side: number,
  codes: X,
  ops: LayerOps<X>,
): Promise<X> {
  let at = side;
  const normed = async (x: X, name: string, channels: number): Promise<X> =>
    ops.swish(await ops.norm(x, name, channels, at));
  const resnet = async (x: X, name: string, from: number, to: number): Promise<X> => {
    const h = await ops.conv(await normed(x, `${name}.norm1`, from), `${name}.conv1`, 3);
    const out = await ops.conv(await normed(h, `${name}.norm2`, to), `${name}.conv2`, 3);
    return ops.add(from === to ? x : await ops.conv(x, `${name}.nin_shortcut`, 1), out);
  };
  const attend = async (x: X, name: string, channels: number): Promise<X> => {
    const h = await ops.norm(x, `${name}.norm`, channels, at);
    const project = (part: string): Promise<X> => ops.conv(h, `${name}.${part}`, 1);
    const [q, k, v] = [await project('q'), await project('k'), await project('v')] as const;
    const mixed = ops.attention(q, k, v, channels, at);
    return ops.add(x, await ops.conv(mixed, `${name}.proj_out`, 1));
  };

  const levels = config.decoderChMult.map((m) => m * config.ch).reverse();
  let channels = levels[0] ?? config.ch;
  let h = ops.lookup(codes, await codebook(config, file), side);
  h = await ops.conv(h, 'post_quant_conv', 1);
  h = await ops.conv(h, 'decoder.conv_in', 3);
  h = await resnet(h, 'decoder.mid.0', channels, channels);
  h = await attend(h, 'decoder.mid.1', channels);
  h = await resnet(h, 'decoder.mid.2', channels, channels);
  for (const [level, to] of levels.entries()) {
    const name = `decoder.conv_blocks.${level}`;
    for (let block = 0; block <= config.numResBlocks; block++) {
      h = await resnet(h, `${name}.res.${block}`, channels, to);
      if (level === 0) h = await attend(h, `${name}.attn.${block}`, to);
      channels = to;
    }
    if (level === levels.length - 1) continue;
    h = await ops.conv(ops.upsample(h), `${name}.upsample.conv`, 3);
    at *= 2;
  }
  return ops.conv(await normed(h, 'decoder.norm_out', channels), 'decoder.conv_out', 3);
}

/** The codebook with its vectors at length 1 where the model wants that. */
async function codebook({ codebookEmbedDim: dim, codebookL2Norm }: VqConfig, file: Safetensors) {
  const { shape, data } = await floatsOf(file, 'quantize.embedding.weight');
  if (!codebookL2Norm) return { shape, data };
  const scaled = data.slice();
  for (let at = 0; at < scaled.length; at += dim) {
    const row = scaled.subarray(at, at + dim);
    const length = Math.hypot(...row);
    for (const i of row.keys()) row[i] = (row[i] ?? 0) / Math.max(length, 1e-12);
  }
  return { shape, data: scaled };
}
