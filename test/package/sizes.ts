/** How large the package is in an app, by both bundlers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as kernels from '../../kernels/index.ts';
import { recordNamed } from '../records/index.ts';
import { type Bundle, bundles, byEsbuild, foreignIn } from './bundles.ts';

/**
 * Gzipped bytes of the core at once, and with all that comes later: the image decoder for every model, the
 * rest for some models and devices. esbuild cuts into many small files, each gzipped by itself.
 */
const MAX_CORE: Readonly<Record<string, Pick<Bundle, 'first' | 'whole'>>> = {
  Vite: { first: 57_500, whole: 98_500 },
  esbuild: { first: 64_500, whole: 107_000 },
};
/** Of an app with one kernel: 10 KiB. */
const MAX_KERNEL = 10_240;

/** @returns What is too large, or what no page should be given. */
export async function sizeProblems(project: string): Promise<string[]> {
  return [...(await coreProblems(project)), ...(await kernelProblems(project))];
}

async function coreProblems(project: string): Promise<string[]> {
  const file = join(project, 'core.ts');
  writeFileSync(file, app('llamagen-webgpu', 'createEngine', 'loadModel'));
  const made = await bundles(file);
  for (const bundle of made) console.log(`  core: ${sized(bundle)}`);
  return made.flatMap((bundle) => {
    const most = MAX_CORE[bundle.bundler];
    const fits = most && bundle.first <= most.first && bundle.whole <= most.whole;
    const limits = `at most ${most?.first}, and ${most?.whole} with all`;
    return [...foreignIn(bundle), ...(fits ? [] : [`core: ${sized(bundle)}: ${limits}`])];
  });
}

async function kernelProblems(project: string): Promise<string[]> {
  const file = join(project, 'kernel.ts');
  const sizes = new Map<string, Bundle>();
  for (const name of Object.keys(kernels).filter((name) => recordNamed(name))) {
    writeFileSync(file, app('llamagen-webgpu/kernels', 'bind', 'compile', name));
    sizes.set(name, await byEsbuild(file));
  }
  const sorted = [...sizes].sort(([, a], [, b]) => a.whole - b.whole);
  const shown = [...sorted.slice(0, 1), ...sorted.slice(-3)];
  console.log(`  one of ${sizes.size} kernels, the smallest and the largest:`);
  for (const [name, bundle] of shown) console.log(`    ${name}: ${sized(bundle)}`);
  return sorted
    .filter(([, { whole }]) => whole > MAX_KERNEL)
    .map(([name, bundle]) => `${name}: ${sized(bundle)}: at most ${MAX_KERNEL}`);
}

/** Code that needs some exports of an entry, which no bundler may leave out. */
const app = (entry: string, ...names: readonly string[]): string =>
  `import { ${names.join(', ')} } from '${entry}';\nObject.assign(globalThis, { ${names.join(', ')} });\n`;

const sized = ({ bundler, first, whole }: Bundle): string =>
  `${first} bytes gzipped by ${bundler}${whole === first ? '' : `, ${whole} with all that comes later`}`;
