/** A model of three layers with random weights, small enough to be loaded and run in a test. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graph } from '../../src/graph/graph.ts';
import { elementCount, type Tensor } from '../../src/graph/tensor.ts';
import { type ModelFiles, memorySource, parseModelJson } from '../../src/index.ts';
import { gptGraphs } from '../../src/models/gpt-graphs.ts';
import { MODEL_FORMAT } from '../../src/models/model-json.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqEncoder } from '../../src/models/vq-encoder.ts';
import { normal } from './random.ts';
import { bytesOf, type StoredTensor, writeSafetensors } from './safetensors.ts';

/** Labels of its classes. */
export const TINY_CLASSES = [0, 1, 2, 3] as const;

const TINY = JSON.stringify({
  format: MODEL_FORMAT,
  name: 'tiny',
  description: 'random weights',
  gpt: {
    model_type: 'c2i',
    dim: 64,
    n_layer: 3,
    n_head: 4,
    multiple_of: 32,
    num_classes: TINY_CLASSES.length,
    vocab_size: 64,
    block_size: 16,
  },
  vq: {
    ch: 32,
    encoder_ch_mult: [1, 2],
    decoder_ch_mult: [1, 2],
    num_res_blocks: 1,
    z_channels: 32,
    codebook_size: 64,
    codebook_embed_dim: 8,
  },
  classes: TINY_CLASSES.map((label) => `class ${label}`),
  sampling: { cfg_scale: 3, temperature: 1, top_k: 0, top_p: 1 },
  license: 'none',
  trained: 'not at all',
});

export interface TinyOptions {
  /** Changes weights before they are stored. */
  readonly change?: (name: string, values: Float32Array) => void;
  /** Whether the tokenizer can encode. Default false. */
  readonly encoder?: boolean;
  /** Fields of its decoder and its tokenizer in model.json. */
  readonly gpt?: object;
  readonly vq?: object;
}

/** A model folder in memory with random weights under the names that the graphs ask for. */
export function tinyFolder(options: TinyOptions = {}): ModelFiles {
  const files = tinyFiles(options);
  return { name: 'tiny', open: async (file) => memorySource(file, files[file]!) };
}

/** Writes that model into a folder, which is made. */
export function writeTinyFolder(folder: string, options: TinyOptions = {}): void {
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of Object.entries(tinyFiles(options)))
    writeFileSync(join(folder, file), bytes);
}

/** Its files, by name. */
export function tinyFiles(options: TinyOptions = {}): Record<string, Uint8Array> {
  const { classes, ...json } = JSON.parse(TINY);
  const hasText = Object(options.gpt).model_type === 't2i';
  const text = JSON.stringify({
    ...json,
    ...(!hasText && { classes }),
    gpt: { ...json.gpt, ...options.gpt },
    vq: { ...json.vq, ...options.vq },
  });
  const { gpt, vq } = parseModelJson(text);
  const variant = { reduce: 'serial', f16: false } as const;
  const precision = { variant, dtype: 'f32', kvDtype: 'f32' } as const;
  const weightsOf = (define: (g: Graph) => void): Uint8Array => {
    const g = new Graph();
    define(g);
    const stored = g.residents.filter(({ life }) => life === 'weight');
    const tensors = stored.map((tensor, i) => storedTensor(tensor, i, options.change));
    return writeSafetensors(Object.fromEntries(tensors));
  };
  const pass = { rows: 1, slots: 1 };
  return {
    'model.json': new TextEncoder().encode(text),
    'gpt.safetensors': weightsOf((g) => gptGraphs(g, gpt, pass, precision)),
    'vq.safetensors': weightsOf((g) => {
      vqDecoder(g, vq, { images: 1, height: 1, width: 1 }, precision);
      if (options.encoder) vqEncoder(g, vq, { images: 1, height: 2, width: 2 }, precision);
    }),
  };
}

function storedTensor(
  tensor: Tensor,
  index: number,
  change?: TinyOptions['change'],
): [string, StoredTensor] {
  const { name, shape } = { ...tensor, ...tensor.origin };
  const values = normal(elementCount(shape), 1000 + index, 0.1);
  change?.(name, values);
  return [name, { dtype: 'F32', shape, bytes: bytesOf(values) }];
}
