/** What a run that failed says, and with which code it exits. */
import { CommanderError } from 'commander';
import { DeviceError, DownloadError, OptionError } from '../errors.ts';
import type { Stopped } from './signals.ts';

/** Exit codes, as shells know them. */
const FAILED = 1;
const WRONG_USAGE = 2;

/** The `error` of `--json`. */
export interface Failure {
  /** Name of the error's class; `Stopped` after Ctrl-C. */
  readonly type: string;
  readonly message: string;
  /** Of a DeviceError or DownloadError. */
  readonly problem?: string | undefined;
  readonly exitCode: number;
}

/** The flag of an option of the library, by its name: `--top-p` of `topP`. */
export type Flags = ReadonlyMap<string, string>;

/** Undefined for help and version, which commander ends by throwing. */
export function failureOf(error: unknown, flags: Flags): Failure | undefined {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? undefined : usageFailure(error);
  }
  const message = withDtypeFlag(error instanceof Error ? error.message : String(error));
  const type = error instanceof Error ? error.name : 'Error';
  if (error instanceof OptionError) {
    return { type, message: inFlags(message, flags), exitCode: WRONG_USAGE };
  }
  const typed = error instanceof DeviceError || error instanceof DownloadError;
  return { type, message, ...(typed && { problem: error.problem }), exitCode: FAILED };
}

export const stoppedFailure = ({ exitCode }: Stopped): Failure => ({
  type: 'Stopped',
  message: 'stopped',
  exitCode,
});

/** Commander has printed it already, on stderr. */
function usageFailure({ code, message }: CommanderError): Failure {
  const text = message.replace(/^error: /, '');
  return {
    type: 'OptionError',
    message: code === 'commander.help' ? 'expected a command' : text,
    exitCode: WRONG_USAGE,
  };
}

/** The library begins such messages with the option's name in quotes: `"topP" expected ...`. */
function inFlags(message: string, flags: Flags): string {
  return message.replace(/^"(\w+)"/, (quoted, name: string) => flags.get(name) ?? quoted);
}

/** The one option that messages about weights advise to change: `dtype "bf16"`. */
const withDtypeFlag = (message: string): string =>
  message.replace(/\bdtype "(\w+)"/g, '--dtype $1').replaceAll('"dtype"', '--dtype');
