/** What the tarball holds: all that is promised and linked, and nothing else. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { posix } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseTar } from 'nanotar';
import { ROOT } from '../support/sources.ts';

/** Bytes of the files of a package, by path. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** Most bytes of the tarball, and of all that is in it but the weights. */
const MAX_PACKED = 46_000_000;
const MAX_CODE = 8_000_000;

/** What may be published; whatever else `files` of package.json lets through is a mistake. */
const PUBLISHED =
  /^(package\.json|LICENSE|(README|CHANGELOG|CONTRIBUTING|THIRD_PARTY_NOTICES)\.md|(dist|src|kernels|docs|examples|bench\/results)\/.+|weights\/(README\.md|(fruits|scenes)-96\/[^/]+))$/;

const TEXT = /\.(js|ts|md|json|map|wgsl|html|css|txt)$/;

export function readTarball(path: string): Files {
  const files = parseTar(gunzipSync(readFileSync(path)))
    .filter(({ type, data }) => type === 'file' && data)
    .map(({ name, data }) => [name.replace(/^package\//, ''), data as Uint8Array] as const);
  return new Map(files);
}

const textOf = (files: Files, path: string): string => new TextDecoder().decode(files.get(path));

/** @returns What is wrong with it. */
export function contentProblems(files: Files, packedBytes: number): string[] {
  const names = [...files.keys()];
  const code = [...files].filter(([name]) => !name.startsWith('weights/'));
  const codeBytes = code.reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
  const kb = (bytes: number): string => `${Math.round(bytes / 1000)} KB`;
  console.log(
    `  ${names.length} files, ${kb(packedBytes)} packed, ${kb(codeBytes)} without the weights`,
  );
  return [
    ...(packedBytes > MAX_PACKED ? [`${packedBytes} bytes packed: at most ${MAX_PACKED}`] : []),
    ...(codeBytes > MAX_CODE ? [`${codeBytes} bytes of code: at most ${MAX_CODE}`] : []),
    ...names.filter((name) => !PUBLISHED.test(name)).map((name) => `${name}: not to be published`),
    ...names.filter((name) => namesThisMachine(files, name)).map((name) => `${name}: a local path`),
    ...names
      .filter((name) => /^dist\/.*\.js$/.test(name))
      .flatMap((name) => mapProblems(files, name)),
    ...names.filter((name) => name.endsWith('.md')).flatMap((name) => linkProblems(files, name)),
    ...typeProblems(files),
  ];
}

function namesThisMachine(files: Files, name: string): boolean {
  if (!TEXT.test(name)) return false;
  const text = textOf(files, name);
  return [ROOT, homedir()].some((path) => path.length > 1 && text.includes(`${path}/`));
}

/** A source map, all of whose sources are there. */
function mapProblems(files: Files, name: string): string[] {
  const map = `${name}.map`;
  if (!textOf(files, name).includes(`sourceMappingURL=${posix.basename(map)}`) || !files.has(map))
    return [`${name}: no source map`];
  const { sources }: { sources: string[] } = JSON.parse(textOf(files, map));
  return sources
    .map((source) => posix.join(posix.dirname(map), source))
    .filter((source) => !files.has(source))
    .map((source) => `${map}: no ${source}`);
}

/** Links and images of a document that are no address must be files of the package, or folders. */
export function linkProblems(files: Files, name: string): string[] {
  const text = textOf(files, name).replace(/^```[\s\S]*?^```/gm, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|href|srcset)="([^"]+)"/g)];
  return links
    .map(([, markdown, html]) => (markdown ?? html ?? '').replace(/#.*$/, ''))
    .filter((link) => link !== '' && !/^(https?|mailto):/.test(link))
    .map((link) => posix.join(posix.dirname(name), link).replace(/\/$/, ''))
    .filter((path) => !files.has(path) && ![...files.keys()].some((f) => f.startsWith(`${path}/`)))
    .map((path) => `${name}: links ${path}, which is not there`);
}

/** The only types beside the package's own: apps have no others installed, nor Node's. */
const TYPES = '@webgpu/types';

/** Declarations that the entries of `exports` reach, and what they take their types from. */
function typeProblems(files: Files): string[] {
  const { exports }: { exports: Record<string, string | Record<string, string>> } = JSON.parse(
    textOf(files, 'package.json'),
  );
  const entries = Object.values(exports)
    .flatMap((to) => (typeof to === 'string' ? [] : Object.values(to)))
    .filter((path) => path.endsWith('.d.ts'))
    .map((path) => new RegExp(`^${path.slice(2).replace('*', '[^/]+')}$`));
  const reached = [...files.keys()].filter((name) => entries.some((entry) => entry.test(name)));
  const problems: string[] = [];
  for (const name of reached) {
    if (!files.has(name)) problems.push(`${name}: is not there, and other declarations name it`);
    for (const module of typesOf(textOf(files, name))) {
      if (module !== TYPES && !module.startsWith('.'))
        problems.push(`${name}: its types are those of ${module}`);
      if (!module.startsWith('.')) continue;
      const path = posix.join(posix.dirname(name), module).replace(/(\.d)?\.[jt]s$/, '.d.ts');
      if (!reached.includes(path)) reached.push(path);
    }
  }
  return problems;
}

const COMMENT = /\/\*[\s\S]*?\*\//g;

const typesOf = (declarations: string): string[] =>
  [
    ...declarations
      .replace(COMMENT, '')
      .matchAll(/(?:from|import\() ?['"]([^'"]+)['"]|<reference \w+="([^"]+)"/g),
  ].map(([, module, reference]) => module ?? reference ?? '');
