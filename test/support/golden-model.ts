/** The smallest golden decoder as a model folder, with a random tokenizer for its codes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelFiles, memorySource } from '../../src/index.ts';
import { MODEL_FORMAT } from '../../src/models/model-json.ts';
import { ROOT } from './sources.ts';
import { tinyFiles } from './tiny-model.ts';

/**
 * Two layers of 64, 256 codes, 4x4 tokens.
 * @param name `c2i_tiny` with 10 classes, or `t2i_tiny` with captions of up to 12 tokens of 48 features.
 */
export async function goldenFolder(
  name: 'c2i_tiny' | 't2i_tiny' = 'c2i_tiny',
): Promise<ModelFiles> {
  const files = goldenFiles(name);
  return { name, open: async (file) => memorySource(file, files[file]!) };
}

/** Its files, by name. */
export function goldenFiles(name: 'c2i_tiny' | 't2i_tiny'): Record<string, Uint8Array> {
  const folder = join(ROOT, 'test', 'golden', name);
  const { model_args: gpt } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  const classes = Array.from({ length: gpt.num_classes }, (_, i) => `class ${i}`);
  const tiny = tinyFiles({
    gpt: { vocab_size: gpt.vocab_size },
    vq: { codebook_size: gpt.vocab_size },
  });
  const { vq } = JSON.parse(new TextDecoder().decode(tiny['model.json']));
  const model = {
    format: MODEL_FORMAT,
    name,
    description: 'a golden case',
    ...{ gpt, vq },
    ...(name === 'c2i_tiny' && { classes }),
    sampling: { cfg_scale: 4, temperature: 1, top_k: 0, top_p: 1 },
    license: 'none',
    trained: 'not at all',
  };
  return {
    ...tiny,
    'model.json': new TextEncoder().encode(JSON.stringify(model)),
    'gpt.safetensors': readFileSync(join(folder, 'model.safetensors')),
  };
}
