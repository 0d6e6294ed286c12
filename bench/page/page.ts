/** One HTML file of plots and tables from files of results. Pure: text in, text out. */
import { forcedOf } from '../../src/ops/tiles.ts';
import { versionOf } from '../environment.ts';
import type { GenerateResult } from '../generate/suite.ts';
import { type BenchFile, type Results, SUITES, type Suite, type SuiteName } from '../suites.ts';
import type { Table } from '../table.ts';
import { figuresOf } from './figures.ts';
import { STYLE } from './style.ts';
import { escapeText } from './svg.ts';

/** A file of results and its name. */
export interface NamedFile {
  readonly name: string;
  readonly file: BenchFile;
}

/** Suites in the order of the page, and what their parts are called. */
const TITLES: Readonly<Record<SuiteName, string>> = {
  limits: 'Limits of the machine',
  generate: 'A decoding step, and an image from its codes',
  scaling: 'Scaling of a step',
  kernels: 'Kernels against the roofline',
  model: 'A model as users run it',
  fidelity: 'What was checked first',
  gpu: 'With matrix units and without',
  torch: 'PyTorch on the same machine',
  peers: 'Other runtimes on the same work',
  windows: 'Tokens a pass by window',
  engine: 'Requests side by side',
  serve: 'Many requests at once',
};

/** Whether a parsed file is one of this bench; others in bench/results have other shapes. */
export function isBenchFile(json: unknown): json is BenchFile {
  const { adapter, results } = (json ?? {}) as Partial<BenchFile>;
  const has = (suite: string): boolean => typeof results?.[suite as SuiteName] === 'object';
  return adapter !== undefined && Object.keys(SUITES).some(has);
}

/** What must be the same for numbers to stand side by side. */
function machineOf({ adapter, cpu, robust, tiles }: BenchFile): string {
  const { device, description, architecture, software } = adapter;
  const names = software ? [description || architecture] : [device, description];
  const forced = Object.entries(forcedOf(tiles)).flatMap(([family, tile]) =>
    Object.entries(tile).map(([setting, value]) => `${family}.${setting}=${value}`),
  );
  return [
    ...(names.some(Boolean) ? names.filter(Boolean) : [architecture]),
    ...(software ? [`software, ${cpu.count} x ${cpu.model}`] : []),
    ...(robust ? ['bounds checks on'] : []),
    ...(forced.length > 0 ? [`forced ${forced.join(' ')}`] : []),
  ].join(', ');
}

/** Of each suite, and of each case of `generate`, what was measured last. */
function lastOf(files: readonly NamedFile[]): Results {
  let last: Results = {};
  for (const { file } of files) {
    const { generate } = file.results;
    const all = generate && last.generate ? joined(last.generate, generate) : generate;
    last = { ...last, ...file.results, ...(all && { generate: all }) };
  }
  return last;
}

function joined(before: GenerateResult, after: GenerateResult): GenerateResult {
  const join = <T extends { readonly name: string }>(old: readonly T[], now: readonly T[]): T[] => [
    ...old.filter(({ name }) => !now.some((other) => other.name === name)),
    ...now,
  ];
  return {
    steps: join(before.steps, after.steps),
    images: join(before.images, after.images),
    secondsPerImage: { ...before.secondsPerImage, ...after.secondsPerImage },
  };
}

/** @throws RangeError when there is no file. */
export function page(files: readonly NamedFile[]): string {
  if (files.length === 0) throw new RangeError('no results: run "npm run bench -- --save" first');
  const machines = new Map<string, NamedFile[]>();
  for (const named of [...files].sort((a, b) => a.file.date.localeCompare(b.file.date))) {
    const title = machineOf(named.file);
    machines.set(title, [...(machines.get(title) ?? []), named]);
  }
  const body = [...machines].map(([title, own]) => {
    const results = lastOf(own);
    return [
      `<h2>${escapeText(title)}</h2>`,
      ...own.map(({ name, file }) => provenance(name, file)),
      ...(Object.keys(TITLES) as SuiteName[]).flatMap((name) => part(name, results)),
    ].join('\n');
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>llamagen-webgpu: bench</title>
<style>${STYLE}</style>
</head>
<body>
<h1>llamagen-webgpu: how fast, and how far from the limit</h1>
<p class="dim">Made by <code>npm run bench:report</code> from <code>bench/results</code>. Every share is of a floor that the same run measured: bytes over memory bandwidth, operations over the rate of multiply-adds. A number above 100 % means that a cache held what had to be read, or that the machine was busy while the limit was measured. <code>docs/performance.md</code> says what each number means.</p>
${body.join('\n')}
</body>
</html>
`;
}

/** Figures and tables of one suite; nothing where it was not measured. */
function part(name: SuiteName, results: Results): string[] {
  const result = results[name];
  if (result === undefined) return [];
  const suite: Suite<unknown> = SUITES[name];
  const notes = suite.notes?.(result) ?? [];
  return [
    `<h3>${TITLES[name]}</h3>`,
    ...figuresOf(name, results),
    '<details><summary>Numbers</summary>',
    ...suite.tables(result).map(tableOf),
    '</details>',
    ...notes.map((note) => `<p class="dim">${escapeText(note)}</p>`),
  ];
}

function tableOf([head = [''], ...rows]: Table): string {
  const line = (tag: 'th' | 'td', cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell.trim())}</${tag}>`).join('')}</tr>`;
  const body = rows.map((cells) => line('td', cells)).join('');
  return `<div class="wide"><table>${line('th', head)}${body}</table></div>`;
}

function provenance(name: string, file: BenchFile): string {
  const { date, node, variant, toggles, results } = file;
  const facts = `${date.slice(0, 16).replace('T', ' ')} UTC, commit ${versionOf(file)}, Node ${node}, reduce ${variant.reduce}, ${variant.f16 ? 'native' : 'packed'} halves; suites ${Object.keys(results).join(', ')}`;
  return `<p class="dim"><code>${escapeText(name)}</code>: ${escapeText(facts)}<br><code>${escapeText(toggles.join(' '))}</code></p>`;
}
