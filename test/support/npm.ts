/** npm, as those who install the package use it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './sources.ts';

/** Runs npm in a folder. @throws Error when it fails; what it says of that is on stderr. */
export function npm(cwd: string, ...args: string[]): void {
  const path = process.env.npm_execpath;
  const [command, first] = path ? [process.execPath, [path]] : ['npm', []];
  const { status } = spawnSync(command, [...first, ...args], {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`npm ${args[0]} failed`);
}

/** Packs this package into a folder. @returns The path of the tarball. */
export function pack(folder: string): string {
  npm(ROOT, 'pack', '--silent', '--pack-destination', folder);
  const name = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (!name) throw new Error('npm pack made no file');
  return join(folder, name);
}

/** Makes a folder the project of somebody who installs packages, tarballs or names. */
export function installIn(folder: string, ...packages: readonly string[]): void {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  npm(
    folder,
    'install',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--loglevel=error',
    ...packages,
  );
}

/** Lends a project a package of this checkout, as if it were installed there: some are 130 MB. */
export function lend(folder: string, name: string): void {
  const place = join(folder, 'node_modules', name);
  if (existsSync(place)) return;
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules', name), place, 'junction');
}
