/** What the commands behind `npm run` share: help, exit codes, and where relative paths start. */
import { type Command, CommanderError } from 'commander';
import { failureOf } from '../src/cli/failure.ts';
import { standWithCaller } from '../src/node/caller.ts';

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
    script.exitOverride().parse();
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
