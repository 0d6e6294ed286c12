// Leaves lines of comment alone out of the built kernels: those of WGSL are in strings, which no bundler
// minifies, and explain to readers of the sources, which the package has as well. Empty lines stay, so that
// source maps still fit; kernels leave them out of their texts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist', 'kernels');
for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
  if (!path.endsWith('.js')) continue;
  const file = join(folder, path);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/^[ \t]*\/\/(?!#).*$/gm, ''));
}
