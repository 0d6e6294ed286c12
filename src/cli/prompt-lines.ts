/** Prompts as the command line takes them: `--prompt`, and `--prompts` with one per line. */
import { readFileSync } from 'node:fs';
import { OptionError } from '../errors.ts';
import { fileProblem } from '../node/file-problem.ts';

export interface PromptArguments {
  readonly prompt?: readonly string[] | undefined;
  /** A file; `-` is standard input. */
  readonly prompts?: string | undefined;
}

const STDIN = '-';
const STDIN_DESCRIPTOR = 0;
/** Most prompts of a file. */
const MAX_PROMPTS = 4096;

/**
 * All prompts that are asked for, those of the file last.
 * @returns undefined when none are asked for.
 * @throws OptionError when the file cannot be read, is no text, or has no line that is not empty.
 */
export function promptsOf({ prompt, prompts }: PromptArguments): readonly string[] | undefined {
  if (prompt === undefined && prompts === undefined) return undefined;
  return [...(prompt ?? []), ...(prompts === undefined ? [] : linesOf(prompts))];
}

function linesOf(path: string): string[] {
  const where = path === STDIN ? 'standard input' : path;
  const lines = textOf(path, where)
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) {
    throw new OptionError(`--prompts: ${where} has no text: expected one prompt per line`);
  }
  if (lines.length > MAX_PROMPTS) {
    throw new OptionError(
      `--prompts: ${where} has ${lines.length} lines, at most ${MAX_PROMPTS} prompts are drawn in a run`,
    );
  }
  return lines;
}

function textOf(path: string, where: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path === STDIN ? STDIN_DESCRIPTOR : path);
  } catch (cause) {
    throw new OptionError(`--prompts: ${where} cannot be read: ${fileProblem(cause)}`, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new OptionError(`--prompts: ${where} is not UTF-8 text`, { cause });
  }
}
