/** Where a run writes: checked before any work, a path or standard output. */
import { existsSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { OptionError } from '../errors.ts';
import { Claims } from '../node/claims.ts';
import { assertFolderWritable, assertWritable, isSpecial } from '../node/output.ts';
import { type Output, outputFile, outputStream } from '../node/output-file.ts';
import { realTarget } from '../node/real-path.ts';
import { tilesPath } from '../node/tiles-file.ts';
import type { ProfileOption } from './profile.ts';
import type { Report } from './report.ts';

/** Means standard output. */
const STDOUT = '-';

export const isStdout = (path: string): boolean => path === STDOUT;

/** What a run was asked to write. */
export interface Destinations {
  /** Of a sheet. */
  readonly out?: string | undefined;
  readonly outDir?: string | undefined;
  readonly tokensOut?: string | undefined;
  /** Of `embed`, which makes no pictures. */
  readonly featuresOut?: string | undefined;
  readonly preview?: string | undefined;
  readonly profile?: ProfileOption | undefined;
  readonly json?: boolean | undefined;
}

/** What it reads. */
export interface Sources {
  /** Folder of the model. */
  readonly model: string;
  readonly tokens?: string | undefined;
  /** A picture that images begin with. */
  readonly from?: string | undefined;
  /** A file of texts. */
  readonly prompts?: string | undefined;
  /** A file of features. */
  readonly features?: string | undefined;
}

/**
 * Checks all destinations of a run.
 * @param pictures Names of the files in `outDir`.
 * @throws OptionError when one cannot be written, or is an input or another destination as well.
 */
export function checkDestinations(
  destinations: Destinations,
  sources: Sources,
  pictures: Iterable<string> = [],
): void {
  const { outDir, json } = destinations;
  const files = filesOf(destinations);
  const streamed = files.filter(([, path]) => path === STDOUT).map(([name]) => name);
  if (streamed.length > 0) checkStdout(streamed, json ?? false);
  const named = files.filter(([, path]) => path !== STDOUT);
  const claims = claimSources(sources);
  for (const [name, path] of named) {
    if (path === '') throw new OptionError(`${name} expected a path, got an empty one`);
    claims.writes(name, path);
  }
  if (outDir !== undefined) checkFolder(outDir, claims, pictures);
  for (const [, path] of named) {
    if (outDir === undefined || !isToBeMadeIn(outDir, path)) assertWritable(path);
  }
  const { out, preview } = destinations;
  for (const [name, path] of named) {
    if (path === out || path === preview) checkPictureName(name, path);
  }
}

/** Each with its option. */
function filesOf({
  out,
  tokensOut,
  featuresOut,
  preview,
  profile,
}: Destinations): (readonly [string, string])[] {
  return [
    ['--out', out] as const,
    ['--out', featuresOut] as const,
    ['--tokens-out', tokensOut] as const,
    ['--preview', preview] as const,
    ['--profile', profile === true ? undefined : profile] as const,
  ].flatMap(([name, path]) => (path === undefined ? [] : [[name, path] as const]));
}

function claimSources({ model, tokens, from, prompts, features }: Sources): Claims {
  const claims = new Claims();
  for (const descriptor of [1, 2]) claims.keepsOpen('standard output or error', descriptor);
  claims.reads('the file of tuned tiles', tilesPath());
  claims.readsModel('--model', model);
  if (tokens !== undefined) claims.reads('--tokens', tokens);
  if (from !== undefined) claims.reads('--from', from);
  if (prompts !== undefined && prompts !== STDOUT) claims.reads('--prompts', prompts);
  if (features !== undefined) claims.reads('--features', features);
  return claims;
}

function checkStdout(names: readonly string[], json: boolean): void {
  const [first, second] = names;
  if (second !== undefined) {
    throw new OptionError(`${first} and ${second} are the same: both are standard output (-)`);
  }
  if (json) {
    throw new OptionError(
      `${first} - writes to standard output, which --json needs: give ${first} a file`,
    );
  }
  if (first === '--out' && process.stdout.isTTY) {
    throw new OptionError(
      '--out - writes bytes to standard output, which is a terminal: redirect it, or give a file',
    );
  }
}

/** A picture is PNG whatever it is called; another ending would lie. */
function checkPictureName(name: string, path: string): void {
  const ending = extname(path);
  if (ending === '' || ending.toLowerCase() === '.png') return;
  if (existsSync(path) && isSpecial(path)) return;
  const better = `${path.slice(0, -ending.length)}.png`;
  throw new OptionError(`${name} ${path}: pictures are written as PNG only: call it ${better}`);
}

function checkFolder(outDir: string, claims: Claims, pictures: Iterable<string>): void {
  if (outDir === '' || outDir === STDOUT) {
    throw new OptionError(`--out-dir expected a folder, got ${outDir || 'an empty path'}`);
  }
  assertFolderWritable(outDir);
  claims.writesInto('--out-dir', outDir, pictures);
}

/** Whether a file lies in a folder that the run will make. */
function isToBeMadeIn(folder: string, path: string): boolean {
  return !existsSync(folder) && realTarget(dirname(path)) === realTarget(folder);
}

/** Where the bytes of a destination go. */
export function outputOf(path: string, report: Report): Output {
  return path === STDOUT ? outputStream(report.takeStdout(), 'standard output') : outputFile(path);
}

/** Writes one destination as a whole. */
export async function writeDestination(
  path: string,
  content: string | Uint8Array<ArrayBuffer>,
  report: Report,
): Promise<void> {
  const output = outputOf(path, report);
  try {
    await output.write(Buffer.from(content));
    await output.commit();
  } finally {
    output.discard();
  }
}

/** Lines go to standard error when standard output is a destination. */
export function keepStdout(destinations: Destinations, report: Report): void {
  if (filesOf(destinations).some(([, path]) => path === STDOUT)) report.takeStdout();
}

/** How a destination is called in a line. */
export const shownDestination = (path: string): string =>
  path === STDOUT ? 'standard output' : path;
