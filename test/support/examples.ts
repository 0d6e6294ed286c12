/** Examples as those who install the package write them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './sources.ts';

/** Where an example imports from, and where who has installed the package does. */
const ENTRIES: Readonly<Record<string, string>> = {
  '../src/index.ts': 'llamagen-webgpu',
  '../src/node/index.ts': 'llamagen-webgpu/node',
  '../src/web/index.ts': 'llamagen-webgpu/web',
  '../../src/web/worker/index.ts': 'llamagen-webgpu/web/worker',
  '../kernels/index.ts': 'llamagen-webgpu/kernels',
};

/** An example as documents print it: with the names of the package, without its first comment. */
export function snippet(name: string): string {
  const example = readFileSync(join(ROOT, 'examples', `${name}.ts`), 'utf8');
  return Object.entries(ENTRIES)
    .reduce((text, [file, entry]) => text.replaceAll(`'${file}'`, `'${entry}'`), example)
    .replace(/^\/\*\*.*\*\/\n/, '');
}
