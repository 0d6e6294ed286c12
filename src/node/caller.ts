/** Where a command was called from: npm runs scripts in the folder of their package. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './environment.ts';
import { packageFolder } from './files.ts';

/** What tells whether npm started this very process. */
export interface Started {
  /** The file that Node runs. */
  readonly entry: string | undefined;
  readonly cwd: string;
  readonly env: Environment;
}

/**
 * The folder in which `npm run` was called, when npm runs a script of this package, that script names
 * the file that Node runs, and its folder is still the package's. Undefined otherwise: a command that
 * another package's script or a test starts stands where it is, though it inherits npm's variables.
 */
export function callerFolder({ entry, cwd, env }: Started): string | undefined {
  const { INIT_CWD, npm_lifecycle_event: event, npm_package_json: json } = env;
  if (!INIT_CWD || !event || !json || entry === undefined || !existsSync(INIT_CWD))
    return undefined;
  const folder = packageFolder();
  if (!isSame(json, join(folder, 'package.json')) || !isSame(cwd, folder)) return undefined;
  const words = scriptOf(folder, event).split(/\s+/);
  return words.some((word) => isSame(join(folder, word), entry)) ? INIT_CWD : undefined;
}

/** Makes relative paths of this process start where its caller stands. */
export function standWithCaller(): void {
  const folder = callerFolder({ entry: process.argv[1], cwd: process.cwd(), env: process.env });
  if (folder !== undefined) process.chdir(folder);
}

function scriptOf(folder: string, name: string): string {
  const { scripts }: { scripts?: Record<string, string> } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  return scripts?.[name] ?? '';
}

function isSame(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
