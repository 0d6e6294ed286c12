/** What package.json promises. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../src/version.ts';
import { linkProblems } from './package/tarball.ts';
import { ROOT, sourceFiles } from './support/sources.ts';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { optional: boolean }>>;
  readonly scripts: Readonly<Record<string, string>>;
}

const pkg: Package = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** The source a built file comes from. */
const sourceOf = (built: string): string =>
  built.replace(/^(\.\/)?dist\/(types\/ts\d\/)?/, '').replace(/(\.d\.ts|\.js)$/, '.ts');

/** `@scope/name` or `name` of an import. */
const packageOf = (name: string): string => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name;

const importsOf = (...folders: string[]): string[] =>
  sourceFiles(...folders)
    .flatMap(({ packages }) => packages)
    .filter((name) => !isBuiltin(name))
    .map(packageOf)
    .filter((name) => name !== pkg.name);

test('the version that results name is that of package.json', () => {
  expect(VERSION).toBe(pkg.version);
});

describe('exports', () => {
  const conditions = Object.entries(pkg.exports).filter(([, value]) => typeof value === 'object');

  test.each(conditions)('%s comes from a source, types first', (_, value) => {
    expect(Object.keys(value)).toEqual(['types@<6.0', 'types', 'default']);
    for (const built of Object.values(value)) {
      expect(existsSync(join(ROOT, sourceOf(built).replace('*', 'attention')))).toBe(true);
    }
  });

  test('names the entry points of the README', () => {
    expect(Object.keys(pkg.exports)).toEqual(
      expect.arrayContaining(['.', './node', './kernels', './kernels/*', './package.json']),
    );
  });

  test('bin comes from a source that Node can run', () => {
    for (const built of Object.values(pkg.bin)) {
      expect(readFileSync(join(ROOT, sourceOf(built)), 'utf8')).toMatch(
        /^#!\/usr\/bin\/env node\n/,
      );
    }
  });
});

test('files holds what is published, and nothing that is only for development', () => {
  expect(pkg.files).toEqual(
    expect.arrayContaining(['dist', 'kernels', 'src', 'docs', 'weights/fruits-96']),
  );
  for (const name of ['test', 'bench', 'weights', 'node_modules'])
    expect(pkg.files).not.toContain(name);
});

test('what published documents link is published with them', () => {
  const names = ['README.md', ...pkg.files].flatMap((name) =>
    statSync(join(ROOT, name), { throwIfNoEntry: false })?.isDirectory()
      ? readdirSync(join(ROOT, name), { recursive: true, encoding: 'utf8' }).map((file) =>
          posix.join(name, file.replaceAll(sep, '/')),
        )
      : [name],
  );
  const isDocument = (name: string): boolean => name.endsWith('.md');
  const bytesOf = (name: string): Uint8Array =>
    isDocument(name) ? readFileSync(join(ROOT, name)) : new Uint8Array();
  const files = new Map(names.map((name) => [name, bytesOf(name)]));
  const documents = names.filter(isDocument);
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/kernels.md']));
  expect(documents.flatMap((name) => linkProblems(files, name))).toEqual([]);
});

describe('dependencies', () => {
  test('everything that kernels and src import is declared for those who install', () => {
    const declared = new Set(Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies }));
    expect(importsOf('kernels', 'src').filter((name) => !declared.has(name))).toEqual([]);
  });

  test('everything else that is imported is declared', () => {
    const declared = new Set(Object.keys({ ...pkg.dependencies, ...pkg.devDependencies }));
    const peers = new Set(importsOf('bench/peers'));
    const imported = importsOf('test', 'bench', 'web').filter((name) => !peers.has(name));
    expect(imported.filter((name) => !declared.has(name))).toEqual([]);
  });

  test('the peers of the bench have a package of their own', () => {
    const own = JSON.parse(readFileSync(join(ROOT, 'bench/peers/package.json'), 'utf8'));
    const declared = new Set(
      Object.keys({ ...pkg.dependencies, ...pkg.devDependencies, ...own.dependencies }),
    );
    expect(importsOf('bench/peers').filter((name) => !declared.has(name))).toEqual([]);
  });

  test('every dependency is used', () => {
    const used = new Set(importsOf('kernels', 'src'));
    // Declarations refer to it (scripts/entry-types.mjs), code does not.
    used.add('@webgpu/types');
    expect(Object.keys(pkg.dependencies).filter((name) => !used.has(name))).toEqual([]);
  });

  test('are few', () => {
    expect(Object.keys(pkg.dependencies).length).toBeLessThanOrEqual(13);
  });

  test('that are large and for Node only are optional peers, and installed for development', () => {
    for (const name of ['webgpu', '@sparticuz/chromium']) {
      expect(pkg.peerDependenciesMeta[name]).toEqual({ optional: true });
      expect(pkg.devDependencies).toHaveProperty([name]);
    }
  });
});

test.each(['demo', 'test', 'check', 'llamagen'])(
  '"npm run %s" installs what is missing',
  (name) => {
    expect(pkg.scripts[name]).toMatch(/^node scripts\/setup\.mjs && /);
  },
);
