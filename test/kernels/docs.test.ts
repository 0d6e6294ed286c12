/** The page of all kernels says what their sources say; `npm run docs` writes it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import * as exported from '../../kernels/index.ts';
import { KERNELS_PAGE, kernelsPage, takenBy } from '../../scripts/kernel-docs/page.ts';
import { kernelSource } from '../../scripts/kernel-docs/source.ts';
import { FOLDERS } from '../records/index.ts';
import { lend } from '../support/npm.ts';
import { ROOT } from '../support/sources.ts';

const page = readFileSync(join(ROOT, KERNELS_PAGE), 'utf8');

test('is as `npm run docs` writes it', () => {
  expect(page).toBe(kernelsPage());
});

test('links to what there is', () => {
  const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link!);
  expect(links.length).toBeGreaterThan(40);
  const broken = links.filter((link) => !existsSync(join(ROOT, dirname(KERNELS_PAGE), link)));
  expect(broken).toEqual([]);
  const anchors = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!);
  const headings = [...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!.toLowerCase());
  expect(anchors.sort()).toEqual(headings.sort());
});

const kernels = [...FOLDERS].flatMap(([folder, records]) =>
  records.map((record) => [`${folder}/${record.name}`, folder, record] as const),
);

test('its examples call what the package exports', () => {
  const calls = [...page.matchAll(/^const kernel = (\w+)\(\{ .* \}\);$/gm)].map(
    ([, name]) => name!,
  );
  expect(new Set(calls).size).toBe(kernels.length);
  expect(calls.filter((name) => typeof Reflect.get(exported, name) !== 'function')).toEqual([]);
});

test('the constants and tables that it names are exported', () => {
  const names = [...page.matchAll(/\b(NO_\w+|NOT_\w+|GIVEN|pack[A-Z]\w+|progressOf)\b/g)];
  const constants = new Set(names.map(([name]) => name));
  expect(constants).toContain('NOT_DRAWN');
  expect([...constants].filter((name) => !(name in exported))).toEqual([]);
});

/** The first example of the page as it is printed; the others with what is bound declared. */
function examples(): string {
  const [whole, ...others] = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
    ([, code = '']) => code,
  );
  const makers = others.map((code) => /^const kernel = (\w+)/.exec(code)?.[1]);
  const own = others.map((code) => {
    const [, bound = ''] = /pipeline, \{ (.*) \}/.exec(code) ?? [];
    const declared = bound.replaceAll(/\w+/g, '$&: GPUBufferBinding');
    return `async (${declared}) => {\n${code}};`;
  });
  // What the lines of tables are.
  const types = new Set([...page.matchAll(/\(`([A-Z]\w+)`\)/g)].map(([, name]) => name));
  return `${whole}
import type { ${[...types]} } from 'llamagen-webgpu/kernels';
import { ${makers.filter((name) => name !== 'rmsNorm')} } from 'llamagen-webgpu/kernels';
declare const device: GPUDevice;
declare const pass: GPUComputePassEncoder;
declare const x: GPUBuffer, gain: GPUBuffer, out: GPUBuffer;
${own.join('\n')}`;
}

test('its examples type-check', () => {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-kernels-'));
  try {
    lend(folder, '@webgpu/types');
    writeFileSync(join(folder, 'examples.mts'), examples());
    const compilerOptions = {
      ...{ types: ['@webgpu/types'], noUnusedLocals: false },
      paths: { 'llamagen-webgpu/kernels': [join(ROOT, 'kernels/index.ts')] },
    };
    const files = ['examples.mts', join(ROOT, 'kernels/wgsl-preprocessor.d.ts')];
    const config = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: [], files };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const made = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    expect(made).toMatchObject({ stdout: '', status: 0 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each(kernels)('says what it computes and takes: %s', (_, folder, record) => {
  const { paragraphs, parameters } = kernelSource(folder, record.name);
  expect(paragraphs.join('\n')).toMatch(/^Shapes\b/m);
  expect(parameters.map(({ name }) => name)).toEqual(expect.arrayContaining(takenBy(record)));
});
