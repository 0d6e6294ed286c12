/** How large the package is in an app, by both bundlers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as kernels from '../../kernels/index.ts';
import { recordNamed } from '../records/index.ts';
import { type Bundle, bundles, byEsbuild, foreignIn } from './bundles.ts';

/** Gzipped bytes of an app that draws: at once, and with all that some models or devices need. */
const MAX_CORE = { first: 88_000, whole: 88_000 };
/** Of an app with one kernel. */
const MAX_KERNEL = 17_500;

/** @returns What is too large, or what no page should be given. */
export async function sizeProblems(project: string): Promise<string[]> {
  return [...(await coreProblems(project)), ...(await kernelProblems(project))];
}

async function coreProblems(project: string): Promise<string[]> {
  const file = join(project, 'core.ts');
  writeFileSync(file, app('llamagen-webgpu', 'createEngine', 'loadModel'));
  const made = await bundles(file);
  for (const bundle of made) console.log(`  core: ${sized(bundle)}`);
  return made.flatMap((bundle) => [
    ...foreignIn(bundle),
    ...(bundle.first > MAX_CORE.first || bundle.whole > MAX_CORE.whole
      ? [`core: ${sized(bundle)}: at most ${MAX_CORE.first}, ${MAX_CORE.whole} with all`]
      : []),
  ]);
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
  console.log(`  one of ${sizes.size} kernels:`);
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
