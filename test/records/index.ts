/** All records, found in the folders beside this file: those of `kernels/FOLDER` in `FOLDER`. */
import { readdirSync } from 'node:fs';
import type { KernelRecord } from './record.ts';

const here = new URL('./', import.meta.url);

const isRecord = (value: unknown): value is KernelRecord =>
  typeof value === 'object' && value !== null && 'oracle' in value && 'suites' in value;

async function recordsIn(folder: string): Promise<KernelRecord[]> {
  const files = readdirSync(new URL(`${folder}/`, here)).filter((file) => file.endsWith('.ts'));
  const modules = await Promise.all(
    files.map((file) => import(new URL(`${folder}/${file}`, here).href)),
  );
  const found = modules.flatMap((module: object) => Object.values(module).filter(isRecord));
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Records by the folders of their kernels. */
export const FOLDERS: ReadonlyMap<string, readonly KernelRecord[]> = new Map(
  await Promise.all(
    readdirSync(here, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => [name, await recordsIn(name)] as const),
  ),
);

/** One for every kernel of the package. */
export const RECORDS: readonly KernelRecord[] = [...FOLDERS.values()].flat();

/** @param name As in labels (`rms_norm`) or as the function is called (`rmsNorm`). */
export const recordNamed = (name: string): KernelRecord | undefined =>
  RECORDS.find((record) => plain(record.name) === plain(name));

const plain = (name: string): string => name.replaceAll(/[-_]/g, '').toLowerCase();
