/** The smallest golden decoder as a model folder, with a random tokenizer for its codes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelFiles, memorySource } from '../../src/index.ts';
import { MODEL_FORMAT } from '../../src/models/model-json.ts';
import { readExactly } from '../../src/weights/source.ts';
import { ROOT } from './sources.ts';
import { tinyFolder } from './tiny-model.ts';

const FOLDER = join(ROOT, 'test', 'golden', 'c2i_tiny');

/** Two layers of 64, 10 classes, 256 codes, 4x4 tokens. */
export async function goldenFolder(): Promise<ModelFiles> {
  const { model_args: gpt } = JSON.parse(readFileSync(join(FOLDER, 'config.json'), 'utf8'));
  const tiny = tinyFolder({
    gpt: { vocab_size: gpt.vocab_size },
    vq: { codebook_size: gpt.vocab_size },
  });
  const json = await tiny.open('model.json');
  const { vq } = JSON.parse(new TextDecoder().decode(await readExactly(json, 0, json.byteLength)));
  const model = {
    format: MODEL_FORMAT,
    name: 'c2i_tiny',
    description: 'a golden case',
    ...{ gpt, vq },
    classes: Array.from({ length: gpt.num_classes }, (_, i) => `class ${i}`),
    sampling: { cfg_scale: 4, temperature: 1, top_k: 0, top_p: 1 },
    license: 'none',
    trained: 'not at all',
  };
  return {
    name: 'c2i_tiny',
    async open(file) {
      if (file === 'model.json') {
        return memorySource(file, new TextEncoder().encode(JSON.stringify(model)));
      }
      if (file !== 'gpt.safetensors') return tiny.open(file);
      return memorySource(file, readFileSync(join(FOLDER, 'model.safetensors')));
    },
  };
}
