/** `llamagen bench`: the bench of the repository, where this is a checkout of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError } from '../errors.ts';
import { packageFolder } from '../node/files.ts';

/**
 * Runs `npm run bench` with the same arguments. It needs the golden cases and the oracles of the tests, which
 * the installed package does not have.
 * @param root Of the package.
 * @throws OptionError outside a checkout, Error when the bench fails or finds something wrong.
 */
export async function runBench(
  args: readonly string[],
  signal: AbortSignal,
  root: string = packageFolder(),
): Promise<void> {
  const main = join(root, 'bench', 'main.ts');
  if (!existsSync(main)) {
    throw new OptionError(
      'the bench is in the repository, with the cases it checks results by, and not in the installed package: clone it, run "npm ci" there, then "npm run bench -- --gpu"',
    );
  }
  const node = ['--import', import.meta.resolve('tsx'), main, ...args];
  const child = spawn(process.execPath, node, { stdio: 'inherit', signal });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the bench ended with ${code}`);
}
