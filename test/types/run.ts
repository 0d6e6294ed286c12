/**
 * Checks that the packed package type-checks for those who install it: the README's snippets as
 * printed and every entry point, strict, declarations included, under each compiler we promise.
 * Installs the compilers, so it is a step of the gate and not of `npm test`.
 *
 *   npm run test:types [-- llamagen-webgpu-1.0.0.tgz]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { installIn, pack } from '../support/npm.ts';
import { ROOT } from '../support/sources.ts';

/** The least version that the README states first. */
const COMPILERS = ['5.7', '5.9', '6.0', '7.0'];
const RESOLUTIONS = [
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
] as const;

function check(given: string | undefined): number {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-types-'));
  try {
    return checkIn(folder, given === undefined ? pack(folder) : resolve(given));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns The exit code. */
function checkIn(folder: string, packed: string): number {
  const compilers = COMPILERS.map((version) => `typescript-${version}@npm:typescript@${version}`);
  installIn(folder, packed, ...compilers);

  const snippets = readmeSnippets();
  const entries = entryPoints(folder);
  for (const [i, code] of snippets.entries()) writeFileSync(join(folder, `snippet-${i}.ts`), code);
  const imports = entries.map((name, i) => `export * as entry${i} from '${name}';\n`);
  writeFileSync(join(folder, 'entries.ts'), imports.join(''));

  let failed = 0;
  for (const version of COMPILERS) {
    for (const [module, moduleResolution] of RESOLUTIONS) {
      const problems = typeCheck(folder, version, module, moduleResolution);
      console.log(`TypeScript ${version}, ${moduleResolution}: ${problems ? 'failed' : 'passed'}`);
      if (problems) console.log(problems.trim().split('\n').slice(0, 20).join('\n'));
      if (problems) failed++;
    }
  }
  const checks = COMPILERS.length * RESOLUTIONS.length;
  console.log(`${snippets.length} snippets, ${entries.length} entry points`);
  console.log(`${checks - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function readmeSnippets(): string[] {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const found = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code);
  if (found.length === 0) throw new Error('README.md has no snippet in TypeScript');
  return found;
}

/** What `exports` offers to TypeScript, patterns spelt out. */
function entryPoints(folder: string): string[] {
  const installed = join(folder, 'node_modules', 'llamagen-webgpu');
  const { name, exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  return Object.entries<{ types?: string }>(exports).flatMap(([entry, { types }]) => {
    if (!types) return [];
    const full = entry.replace('.', name);
    if (!full.includes('*')) return [full];
    const [before = '', after = ''] = types.split('*');
    return readdirSync(join(installed, before))
      .filter((folder) => existsSync(join(installed, `${before}${folder}${after}`)))
      .map((folder) => full.replace('*', folder));
  });
}

/** What the compiler has to say; empty when all is well. */
function typeCheck(
  folder: string,
  version: string,
  module: string,
  moduleResolution: string,
): string {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const tsc = join(folder, 'node_modules', `typescript-${version}`, 'bin', 'tsc');
  const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [tsc, ...options, '--module', module, '--moduleResolution', moduleResolution, ...files],
    { cwd: folder, encoding: 'utf8' },
  );
  return status === 0 ? '' : `${stdout}${stderr}` || `exit code ${status}`;
}

const types = new Command('test:types')
  .description('Type-checks the packed package under the TypeScript compilers that are promised.')
  .argument('[package]', 'what npm pack made (default: it is made first)');
await runScript(types, () => check(types.args[0]));
