/** What the commands behind `npm run` share: help, exit codes, and where relative paths start. */
import { spawnSync } from 'node:child_process';
import { type Command, CommanderError } from 'commander';
import { failureOf } from '../src/cli/failure.ts';
import { standWithCaller } from '../src/node/caller.ts';
import { packageFolder } from '../src/node/files.ts';

/**
 * Reads the arguments of this process and does the work; with `--help` it prints help alone. Sets the
 * exit code: 2 for wrong usage, 1 when the work throws, else the number that the work gives, or 0.
 */
export async function runScript(script: Command, work: () => unknown): Promise<void> {
  standWithCaller();
  for (const { envVar } of script.options) {
    // An empty variable is none.
    if (envVar && process.env[envVar] === '') delete process.env[envVar];
  }
  try {
    script
      .exitOverride()
      .configureOutput({
        outputError: (text, write) => write(text.replace(/^error: /, `${script.name()}: `)),
      })
      .parse();
    const code = await work();
    process.exitCode = typeof code === 'number' ? code : 0;
  } catch (error) {
    const flags = script.options.map((o) => [o.attributeName(), o.long ?? ''] as const);
    const failure = failureOf(error, new Map(flags));
    if (!failure) return;
    if (!(error instanceof CommanderError)) console.error(`${script.name()}: ${failure.message}`);
    process.exitCode = failure.exitCode;
  }
}

/** Runs a command in this package's folder; npm lets scripts find those of installed packages. */
export function passes(command: string, ...args: readonly string[]): boolean {
  const shell = process.platform === 'win32';
  const options = { cwd: packageFolder(), stdio: 'inherit', shell } as const;
  const { error, status } = spawnSync(command, args, options);
  if (error) throw new Error(`${command} does not run: ${error.message}; use "npm run check"`);
  return status === 0;
}
