/** Source files of this project and what they import, for tests about structure. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const ROOT: string = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  /** Without comments. */
  readonly text: string;
  /** Files of this project it imports, from the root. */
  readonly local: readonly string[];
  /** Everything else it imports, as written. */
  readonly packages: readonly string[];
}

const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm;

/** Formatted code starts a line with `import` and quotes with '. */
const IMPORT =
  /^(?:import|export)\b[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;

/** Every TypeScript file under those of these folders that exist. */
export function sourceFiles(...folders: readonly string[]): SourceFile[] {
  return folders
    .filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
        .filter((name) => !name.split(sep).includes('node_modules'))
        .map((name) => sourceFile(join(ROOT, folder, name))),
    );
}

function sourceFile(full: string): SourceFile {
  const text = readFileSync(full, 'utf8').replace(COMMENT, '');
  const names = [...text.matchAll(IMPORT)].map(([, a, b, c]) => a ?? b ?? c ?? '');
  const isLocal = (name: string): boolean => name.startsWith('.');
  return {
    path: fromRoot(full),
    text,
    local: names.filter(isLocal).map((name) => fromRoot(resolve(dirname(full), name))),
    packages: names.filter((name) => !isLocal(name)),
  };
}

function fromRoot(full: string): string {
  return relative(ROOT, full).split(sep).join('/');
}
