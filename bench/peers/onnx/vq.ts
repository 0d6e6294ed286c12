/** The VQ-16 decoder as an ONNX graph of standard operators. */
import { downsampleOf, VQ_GROUPS, type VqConfig } from '../../../src/models/vq-config.ts';
import type { Safetensors } from '../../../src/weights/safetensors.ts';
import { decoderLayers, type LayerOps } from '../vq-layers.ts';
import { floatsOf } from '../workload.ts';
import { OnnxGraph } from './builder.ts';

const EPSILON = 1e-6;

/** Input: `codes` int32 [side * side]. Output: `image` f32 [1, 3, side * f, side * f] with f = downsampleOf(config). */
export async function vqGraph(
  config: VqConfig,
  file: Safetensors,
  side: number,
): Promise<Uint8Array> {
  const g = new OnnxGraph('vq decoder');
  const codes = g.input('codes', 'int32', [side * side]);
  const image = await decoderLayers(config, file, side, codes, opsOf(g, file));
  g.node('Identity', [image], {}, 'image');
  const pixels = side * downsampleOf(config);
  g.output('image', 'float32', [1, config.outChannels, pixels, pixels]);
  return g.encode();
}

function opsOf(g: OnnxGraph, file: Safetensors): LayerOps<string> {
  const constant = async (name: string, ...dims: readonly number[]): Promise<string> => {
    const { shape, data } = await floatsOf(file, name);
    return g.floats(
      dims.length > 0 ? `${name} [${dims}]` : name,
      dims.length > 0 ? dims : shape,
      data,
    );
  };
  return {
    lookup(codes, table, side) {
      const rows = g.node('Gather', [g.floats('codebook', table.shape, table.data), codes]);
      const columns = g.node('Transpose', [rows], { attributes: { perm: [1, 0] } });
      return g.reshape(columns, 1, table.shape[1] ?? 0, side, side);
    },
    async conv(x, name, kernel) {
      const inputs = [x, await constant(`${name}.weight`), await constant(`${name}.bias`)];
      const pads = Array(4).fill((kernel - 1) / 2);
      return g.node('Conv', inputs, { attributes: { kernel_shape: [kernel, kernel], pads } });
    },
    async norm(x, name, channels, side) {
      const ones = g.floats('ones', [VQ_GROUPS], new Float32Array(VQ_GROUPS).fill(1));
      const zeros = g.floats('zeros', [VQ_GROUPS], new Float32Array(VQ_GROUPS));
      const groups = g.reshape(x, 1, VQ_GROUPS, (channels / VQ_GROUPS) * side ** 2);
      const attributes = { epsilon: EPSILON };
      const normed = g.node('InstanceNormalization', [groups, ones, zeros], { attributes });
      const back = g.reshape(normed, 1, channels, side, side);
      const scaled = g.node('Mul', [back, await constant(`${name}.weight`, 1, channels, 1, 1)]);
      return g.node('Add', [scaled, await constant(`${name}.bias`, 1, channels, 1, 1)]);
    },
    swish: (x) => g.node('Mul', [x, g.node('Sigmoid', [x])]),
    add: (x, y) => g.node('Add', [x, y]),
    upsample(x) {
      const scales = g.floats('twice', [4], Float32Array.of(1, 1, 2, 2));
      return g.node('Resize', [x, '', scales], {
        attributes: {
          mode: 'nearest',
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'floor',
        },
      });
    },
    attention(q, k, v, channels, side) {
      const flat = (x: string): string => g.reshape(x, channels, side ** 2);
      const turned = (x: string): string =>
        g.node('Transpose', [x], { attributes: { perm: [1, 0] } });
      const scores = g.node('MatMul', [turned(flat(q)), flat(k)]);
      const scaled = g.node('Mul', [scores, g.scalar(channels ** -0.5)]);
      const probs = g.node('Softmax', [scaled], { attributes: { axis: -1 } });
      return g.reshape(g.node('MatMul', [flat(v), turned(probs)]), 1, channels, side, side);
    },
  };
}
