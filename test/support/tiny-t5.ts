/** T5 encoders of random weights, as the files of a model folder. */

import { WeightsError } from '../../src/errors.ts';
import { Graph } from '../../src/graph/graph.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import { type ModelFiles, memorySource } from '../../src/index.ts';
import { T5_TABLES, t5Layers } from '../../src/models/t5.ts';
import { parseT5Config } from '../../src/models/t5-config.ts';
import { normal } from './random.ts';
import { bytesOf, type StoredTensor, toBf16, writeSafetensors } from './safetensors.ts';

/** A `config.json` as transformers writes it, of three layers. */
export const TINY_T5 = {
  model_type: 't5',
  architectures: ['T5EncoderModel'] as readonly string[],
  d_model: 24,
  d_kv: 8,
  num_heads: 2,
  d_ff: 40,
  num_layers: 3,
  vocab_size: 50,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 16,
  feed_forward_proj: 'gated-gelu',
  layer_norm_epsilon: 1e-6,
};

export type Tensors = Record<string, StoredTensor>;

/** Every tensor of an encoder, gains near 1 and sums about as large as what they sum. */
export function t5Tensors(json: object = TINY_T5, dtype: 'F32' | 'BF16' = 'F32'): Tensors {
  const config = parseT5Config(json, 'tiny');
  const g = new Graph();
  const precision = {
    variant: { reduce: 'serial', f16: false },
    dtype: 'f32',
    kvDtype: 'f32',
  } as const;
  t5Layers(g, config, { rows: 1, first: 0, count: config.nLayer }, precision);
  const weights = g.residents.filter(({ life }) => life === 'weight');
  const all = [...weights, { name: T5_TABLES[0], shape: [config.vocabSize, config.dim] }];
  const stored = all.map(({ name, shape }, i): [string, StoredTensor] => {
    const isGain = shape.length === 1;
    const values = normal(elementCount(shape), 50 + i, isGain ? 0.1 : 0.25, isGain ? 1 : 0);
    const bytes = bytesOf(dtype === 'F32' ? values : toBf16(values));
    return [name, { dtype, shape, bytes }];
  });
  return Object.fromEntries(stored);
}

export interface CountedFiles extends ModelFiles {
  readonly reads: [file: string, offset: number, length: number][];
}

/** Files by name, in memory. Their sources count what is read. */
export function filesOf(files: Readonly<Record<string, Uint8Array>>): CountedFiles {
  const reads: [string, number, number][] = [];
  return {
    name: 'folder',
    reads,
    async open(file) {
      const bytes = files[file];
      if (!bytes) throw new WeightsError(`folder: has no file "${file}"`);
      const source = memorySource(file, bytes);
      const read: typeof source.read = (offset, length) => {
        reads.push([file, offset, length]);
        return source.read(offset, length);
      };
      return { ...source, read };
    },
  };
}

/** A model folder with an encoder of these tensors in one file. */
export const t5Folder = (tensors: Tensors = t5Tensors(), json: object = TINY_T5): CountedFiles =>
  filesOf({
    't5.json': new TextEncoder().encode(JSON.stringify(json)),
    't5.safetensors': writeSafetensors(tensors),
  });
