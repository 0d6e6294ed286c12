/** Runs a command line and says what came of it. */
import { CommanderError } from 'commander';
import { type Failure, failureOf, stoppedFailure } from './failure.ts';
import { flagsOf, program } from './program.ts';
import type { Streams } from './report.ts';
import { endsWell, type Stop, type Stopped } from './signals.ts';

/**
 * @param args What stands behind `llamagen`.
 * @returns The exit code.
 */
export async function runCommandLine(
  args: readonly string[],
  stop: Stop,
  streams: Streams,
): Promise<number> {
  const llamagen = program(stop.signal, streams);
  try {
    await llamagen.parseAsync(args, { from: 'user' });
    return endsWell(stop.signal) ? 0 : (stop.stopped?.exitCode ?? 0);
  } catch (error) {
    if (stop.stopped) return sayStopped(stop.stopped, args, streams);
    const failure = failureOf(error, flagsOf(llamagen));
    if (!failure) return 0;
    // Commander has said what was wrong itself.
    if (!(error instanceof CommanderError)) {
      say(failure, streams);
      const isError = error instanceof Error;
      if (isError && args.includes('--verbose')) streams.stderr.write(`${error.stack}\n`);
    }
    sayJson(failure, args, streams);
    return failure.exitCode;
  }
}

/** @returns The exit code. */
export function sayStopped(stopped: Stopped, args: readonly string[], streams: Streams): number {
  const failure = stoppedFailure(stopped);
  say(failure, streams);
  sayJson(failure, args, streams);
  return failure.exitCode;
}

const say = ({ message }: Failure, { stderr }: Streams): void =>
  void stderr.write(`llamagen: ${message}\n`);

/** The one JSON object of a run that failed: its arguments may not have been read. */
function sayJson(error: Failure, args: readonly string[], { stdout }: Streams): void {
  if (args.includes('--json')) stdout.write(`${JSON.stringify({ error })}\n`);
}
