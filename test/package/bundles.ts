/** What bundlers make of code that imports the installed package. */
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build as esbuild } from 'esbuild';
import { build as vite } from 'vite';

export interface Bundle {
  readonly bundler: string;
  /** Gzipped bytes of what the entry imports at once, and of all there is. */
  readonly first: number;
  readonly whole: number;
  /** All of its code. */
  readonly code: string;
}

interface Chunk {
  readonly code: string;
  /** Chunks that it imports, and waits for. */
  readonly imports: readonly string[];
}

/** @param file Code in a project that has the package. */
export async function bundles(file: string): Promise<readonly Bundle[]> {
  return [await byEsbuild(file), await byVite(file)];
}

export async function byEsbuild(file: string): Promise<Bundle> {
  const { outputFiles, metafile } = await esbuild({
    absWorkingDir: join(file, '..'),
    entryPoints: [file],
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    outdir: 'out',
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const texts = outputFiles.map(({ text }) => text);
  const chunks = Object.entries(metafile.outputs).map(([path, { imports }], i) => {
    const waited = imports.filter(({ kind }) => kind === 'import-statement');
    return [path, { code: texts[i] ?? '', imports: waited.map((to) => to.path) }] as const;
  });
  const isEntry = ({ entryPoint = '' }): boolean => entryPoint === basename(file); // also chunks of import() have one
  const [entry] = Object.entries(metafile.outputs).find(([, output]) => isEntry(output)) ?? [];
  return bundleOf('esbuild', new Map(chunks), entry);
}

async function byVite(file: string): Promise<Bundle> {
  const made = await vite({
    root: join(file, '..'),
    configFile: false,
    logLevel: 'error',
    build: { write: false, modulePreload: false, rollupOptions: { input: file } },
  });
  if (Array.isArray(made) || !('output' in made)) throw new Error('Vite made no single bundle');
  const chunks = made.output.filter((output) => output.type === 'chunk');
  const entry = chunks.find(({ isEntry }) => isEntry)?.fileName;
  return bundleOf('Vite', new Map(chunks.map((chunk) => [chunk.fileName, chunk])), entry);
}

function bundleOf(bundler: string, chunks: ReadonlyMap<string, Chunk>, entry = ''): Bundle {
  const waited = new Set([entry]);
  for (const name of waited) for (const next of chunks.get(name)?.imports ?? []) waited.add(next);
  const size = (names: Iterable<string>): number =>
    [...names].reduce((sum, name) => sum + gzipSync(chunks.get(name)?.code ?? '').length, 0);
  return {
    bundler,
    first: size(waited),
    whole: size(chunks.keys()),
    code: [...chunks.values()].map(({ code }) => code).join('\n'),
  };
}

/** @returns What no page should be given: code made of texts, which a strict policy forbids, and Node. */
export function foreignIn({ bundler, code }: Bundle): string[] {
  const found = code.match(/\beval\(|\bnew Function\b|\bFunction\(|["'`]node:\w+/g) ?? [];
  return [...new Set(found)].map((text) => `${bundler}: the bundle has ${text}`);
}
