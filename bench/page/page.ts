/** One HTML file of plots and tables from files of results. Pure: text in, text out. */
import type { BenchFile, Results } from '../suites.ts';
import {
  generateSection,
  kernelsSection,
  limitsSection,
  peersSection,
  scalingSection,
} from './sections.ts';
import { STYLE } from './style.ts';
import { escapeText } from './svg.ts';

/** A file of results and its name. */
export interface NamedFile {
  readonly name: string;
  readonly file: BenchFile;
}

interface Machine {
  readonly title: string;
  readonly files: readonly NamedFile[];
  /** Of each suite, what was measured last. */
  readonly results: Results;
}

/** Whether a parsed file is one of this bench; others in bench/results have other shapes. */
export function isBenchFile(json: unknown): json is BenchFile {
  const file = json as Partial<BenchFile> | null;
  const known = ['limits', 'kernels', 'generate', 'scaling', 'peers'];
  return (
    typeof file === 'object' &&
    file?.adapter !== undefined &&
    typeof file.results === 'object' &&
    known.some((suite) => suite in (file.results as object))
  );
}

const machineOf = ({ adapter, cpu, robust }: BenchFile): string =>
  [
    adapter.description || adapter.device || adapter.architecture,
    ...(adapter.software ? [`software, ${cpu.count} x ${cpu.model}`] : []),
    ...(robust ? ['bounds checks on'] : []),
  ].join(', ');

function machines(files: readonly NamedFile[]): Machine[] {
  const groups = new Map<string, NamedFile[]>();
  for (const named of [...files].sort((a, b) => a.file.date.localeCompare(b.file.date))) {
    const title = machineOf(named.file);
    groups.set(title, [...(groups.get(title) ?? []), named]);
  }
  return [...groups].map(([title, own]) => ({
    title,
    files: own,
    results: Object.assign({}, ...own.map(({ file }) => file.results)) as Results,
  }));
}

/** @throws RangeError when there is no file. */
export function page(files: readonly NamedFile[]): string {
  if (files.length === 0) throw new RangeError('no results: run "npm run bench -- --save" first');
  const body = machines(files).map(({ title, files: own, results }) =>
    [
      `<h2>${escapeText(title)}</h2>`,
      ...own.map(({ name, file }) => provenance(name, file)),
      ...limitsSection(results),
      ...generateSection(results),
      ...scalingSection(results),
      ...kernelsSection(results),
      ...peersSection(results),
    ].join('\n'),
  );
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
<p class="dim">Made by <code>npm run bench:report</code> from <code>bench/results</code>. Every share is of a floor that the same run measured: bytes over memory bandwidth, multiply-adds over the best product. A number above 100 % means that a kernel is faster than the bench's own best attempt at that limit, or that the machine was busy while the limit was measured. <code>docs/performance.md</code> says what each number means.</p>
${body.join('\n')}
</body>
</html>
`;
}

function provenance(
  name: string,
  { date, commit, changed, node, variant, toggles, results }: BenchFile,
): string {
  const version = commit ? `${commit.slice(0, 12)}${changed ? ' with changes' : ''}` : 'unknown';
  const facts = `${date.slice(0, 16).replace('T', ' ')} UTC, commit ${version}, Node ${node}, reduce ${variant.reduce}, ${variant.f16 ? 'native' : 'packed'} halves; suites ${Object.keys(results).join(', ')}`;
  return `<p class="dim"><code>${escapeText(name)}</code>: ${escapeText(facts)}<br><code>${escapeText(toggles.join(' '))}</code></p>`;
}
