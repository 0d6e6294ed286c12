/**
 * Texts of kernels as they are read: a change of a kernel is reviewed as a change of its shader.
 * `npx vitest run test/kernels/snapshots.test.ts -u` writes them.
 */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SNAPSHOTS, snapshotFile } from '../support/snapshots.ts';

test.each(Object.entries(SNAPSHOTS))('%s', async (path, { code }) => {
  await expect(`${code}\n`).toMatchFileSnapshot(`../../${snapshotFile(path)}`);
});

test('every file belongs to a kernel of them', () => {
  const kernels = new URL('../../kernels/', import.meta.url);
  const files = readdirSync(kernels, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.wgsl'))
    .map((file) => `kernels/${file}`);
  expect(files.sort()).toEqual(Object.keys(SNAPSHOTS).map(snapshotFile).sort());
});
