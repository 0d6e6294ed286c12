/** The file of measured tiles, beside the cache of downloads. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Variant } from '../../kernels/kernel.ts';
import type { Tiles } from '../ops/tiles.ts';
import { adapterKey } from '../tune/adapter-key.ts';
import { kernelDigest } from '../tune/digest.ts';
import {
  type AdapterTable,
  formatTables,
  parseTables,
  type TablesByAdapter,
  type TunedTable,
  tilesOf,
} from '../tune/table.ts';
import { VERSION } from '../version.ts';
import type { Environment } from './environment.ts';
import { fileProblem } from './file-problem.ts';
import { cacheFolder } from './hub/settings.ts';
import { writeFileAtomic } from './output.ts';

const NAME = 'tiles.json';

/** What was measured before on this adapter with these kernels. */
export interface TunedTiles {
  readonly path: string;
  /** The adapter, its driver, features and toggles, in words. */
  readonly adapter: string;
  readonly tuned: TunedTable;
  readonly tiles: Tiles;
  /** Why results in the file are not used. */
  readonly note?: string | undefined;
}

/** `LLAMAGEN_CACHE` and the like say which folder; see `hubSettings`. */
export const tilesPath = (env: Environment = process.env): string => join(cacheFolder(env), NAME);

/**
 * Reads what was measured. A file that is broken, or was made with other kernels, is a note and not an
 * error: the kernels' own choices are good.
 */
export async function readTiles(
  device: GPUDevice,
  toggles: readonly string[],
  variant: Variant,
  path: string = tilesPath(),
): Promise<TunedTiles> {
  const adapter = adapterKey(device, toggles);
  const nothing = { path, adapter, tuned: {}, tiles: {} };
  try {
    const table = existsSync(path) ? readTables(path)[adapter] : undefined;
    if (!table) return nothing;
    if (table.kernels !== (await kernelDigest(variant))) {
      const what = isOfThisVersion(table) ? 'other kernels' : 'another version';
      const note = `${path}: not used, it was measured with ${what} ("llamagen tune" measures again)`;
      return { ...nothing, note };
    }
    return { ...nothing, tuned: table.tuned, tiles: tilesOf(table.tuned) };
  } catch (error) {
    const reason = fileProblem(error);
    return { ...nothing, note: `${path}: not used, ${reason} ("llamagen tune" makes it again)` };
  }
}

/**
 * Writes results of one adapter. Those of others stay, and so do those of other keys with the same
 * kernels, which another process may have written meanwhile. The file is whole at any time.
 * @throws Error that names the path when it cannot be written; what was there before stays.
 */
export function writeTiles(
  { path, adapter }: Pick<TunedTiles, 'path' | 'adapter'>,
  table: AdapterTable,
): void {
  let others: TablesByAdapter = {};
  try {
    others = readTables(path);
  } catch {
    // Missing or broken: nothing of it can be kept.
  }
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw new Error(`cannot write ${path}: ${fileProblem(cause)}`, { cause });
  }
  const there = others[adapter];
  const kept = there?.kernels === table.kernels ? there.tuned : {};
  const merged = { ...table, tuned: { ...kept, ...table.tuned } };
  writeFileAtomic(path, formatTables({ ...others, [adapter]: merged }));
}

const isOfThisVersion = ({ kernels }: AdapterTable): boolean => kernels.startsWith(`${VERSION} `);

const readTables = (path: string): TablesByAdapter => parseTables(readFileSync(path, 'utf8'));
