/** Names and shapes of a tokenizer's weights. */
import { PORTABLE } from '../../kernels/kernel.ts';
import { Graph } from '../graph/graph.ts';
import type { WantedTensor } from '../weights/join.ts';
import type { VqConfig } from './vq-config.ts';
import { vqDecoder } from './vq-decoder.ts';
import { vqEncoder } from './vq-encoder.ts';

/** Every weight of both directions under its official name; the graphs say which there are. */
export function vqWeightShapes(config: VqConfig): WantedTensor[] {
  const g = new Graph();
  const options = { variant: PORTABLE, dtype: 'f32' as const };
  const side = 2 ** (config.encoderChMult.length - 1);
  vqDecoder(g, config, { images: 1, height: 1, width: 1 }, options);
  vqEncoder(g, config, { images: 1, height: side, width: side }, options);
  return g.residents
    .filter(({ life }) => life === 'weight')
    .map(({ name, shape }) => ({ name, shape }));
}
