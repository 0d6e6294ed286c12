/** An example in Bun and Deno, where they are installed: neither is a dependency. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { unpackSwiftshader } from '../src/node/swiftshader.ts';
import { ROOT } from './support/sources.ts';

const RUNTIMES: readonly (readonly [command: string, ...args: string[]])[] = [
  ['bun'],
  ['deno', 'run', '-A', '--node-modules-dir=manual'],
];

const isInstalled = (command: string): boolean =>
  spawnSync(command, ['--version']).error === undefined;

for (const [command, ...args] of RUNTIMES) {
  test.skipIf(process.platform !== 'linux' || !isInstalled(command))(command, () => {
    // As docs/embedding.md says: the software adapter's loader is found by its folder.
    const folder = dirname(unpackSwiftshader().loader);
    const env = {
      ...process.env,
      LD_LIBRARY_PATH: folder,
      VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
      LLAMAGEN_ADAPTER: 'system',
    };
    const example = join(ROOT, 'examples/kernel-in-node.ts');
    const { stdout } = spawnSync(command, [...args, example], { cwd: ROOT, encoding: 'utf8', env });
    expect(stdout).toMatch(/^0\.032 0\.087 0\.237 0\.644 /);
  });
}
