/** The page of all kernels says what their sources say; `npm run docs` writes it. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import * as exported from '../../kernels/index.ts';
import { KERNELS_PAGE, kernelsPage, takenBy } from '../../scripts/kernel-docs/page.ts';
import { kernelSource } from '../../scripts/kernel-docs/source.ts';
import { FOLDERS } from '../records/index.ts';
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

test.each(kernels)('says what it computes and takes: %s', (_, folder, record) => {
  const { paragraphs, parameters } = kernelSource(folder, record.name);
  expect(paragraphs.join('\n')).toMatch(/^Shapes\b/m);
  expect(parameters.map(({ name }) => name)).toEqual(expect.arrayContaining(takenBy(record)));
});
