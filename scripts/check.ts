/** `npm run check [-- filter...]`: types, format and lint, then the tests; the first that fails ends it. */
import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { packageFolder } from '../src/node/files.ts';
import { runScript } from './script.ts';

/** npm lets scripts find the commands of installed packages. */
function passes(command: string, ...args: readonly string[]): boolean {
  const shell = process.platform === 'win32';
  const options = { cwd: packageFolder(), stdio: 'inherit', shell } as const;
  const { error, status } = spawnSync(command, args, options);
  if (error) throw new Error(`${command} does not run: ${error.message}; use "npm run check"`);
  return status === 0;
}

const check = new Command('check')
  .description('Checks types, format and lint, then runs the tests.')
  .argument('[filter...]', 'run only tests whose paths contain one of these (default: all)');
await runScript(check, () =>
  passes('tsc') && passes('biome', 'check') && passes('vitest', 'run', ...check.args) ? 0 : 1,
);
