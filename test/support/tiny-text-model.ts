/** A model folder of random weights that draws texts, with a T5 and a tokenizer of a few words. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelFiles, memorySource, WeightsError } from '../../src/index.ts';
import { writeSafetensors } from './safetensors.ts';
import { tinyFiles } from './tiny-model.ts';
import { TINY_T5, t5Tensors } from './tiny-t5.ts';

/** Words that the tokenizer has as a whole. */
export const TINY_WORDS = ['cat', 'lemon', 'two', 'red', 'ground', 'on', 'a'] as const;
/** Most tokens of a prompt, the end token among them. */
export const TINY_LENGTH = 8;

/** A `tokenizer.json` of T5's kind. */
export const TINY_TOKENIZER: string = JSON.stringify({
  version: '1.0',
  added_tokens: ['<pad>', '</s>', '<unk>'].map((content, id) => ({ id, content, special: true })),
  normalizer: null,
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', add_prefix_space: true },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
  },
  model: {
    type: 'Unigram',
    unk_id: 2,
    vocab: [
      ...[
        ['<pad>', 0],
        ['</s>', 0],
        ['<unk>', 0],
      ],
      ...TINY_WORDS.map((word) => [`▁${word}`, -2]),
      ...['▁', ...'abcdefghijklmnopqrstuvwxyz'].map((letter) => [letter, -6]),
    ],
  },
});

/** The files of the model, by name. */
export function tinyTextFiles(): Record<string, Uint8Array> {
  const files = tinyFiles({
    gpt: { model_type: 't2i', caption_dim: TINY_T5.d_model, cls_token_num: TINY_LENGTH },
  });
  const json = JSON.parse(new TextDecoder().decode(files['model.json']));
  const text = { max_length: TINY_LENGTH, clean: true, words: TINY_WORDS };
  const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);
  return {
    ...files,
    'model.json': bytesOf(JSON.stringify({ ...json, name: 'tiny-texts', text })),
    't5.json': bytesOf(JSON.stringify(TINY_T5)),
    't5.safetensors': writeSafetensors(t5Tensors()),
    'tokenizer.json': bytesOf(TINY_TOKENIZER),
  };
}

/** The model as a folder in memory. */
export function tinyTextFolder(): ModelFiles {
  const files = tinyTextFiles();
  return {
    name: 'tiny-texts',
    async open(file) {
      const bytes = files[file];
      if (!bytes) throw new WeightsError(`tiny-texts: has no file "${file}"`);
      return memorySource(file, bytes);
    },
  };
}

/** Writes the model into a folder, which is made. */
export function writeTinyTextFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of Object.entries(tinyTextFiles())) {
    writeFileSync(join(folder, file), bytes);
  }
}
