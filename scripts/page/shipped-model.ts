/** Puts the model of classes that ships with this package beside the page. */
import { cpSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { defaultModelFolder } from '../../src/node/files.ts';

const FILES = ['model.json', 'gpt.safetensors', 'vq.safetensors', 'DATA-LICENSE'];

export function shippedModel(): Plugin {
  let folder = '';
  return {
    name: 'shipped-model',
    apply: 'build',
    configResolved({ root, build }) {
      folder = resolve(root, build.outDir, 'models', 'fruits-96');
    },
    closeBundle() {
      mkdirSync(folder, { recursive: true });
      for (const file of FILES) cpSync(join(defaultModelFolder(), file), join(folder, file));
    },
  };
}
