/** What devices with validation have accepted before, beside the cache of downloads. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MatrixSizes } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import type { Matrices } from '../gpu/matrices.ts';
import { parseJson } from '../weights/json-text.ts';
import type { Environment } from './environment.ts';
import { cacheFolder } from './hub/settings.ts';
import { writeFileAtomic } from './output.ts';

/** What an adapter has accepted. */
export interface AcceptedTable {
  readonly matrices: Matrices;
  /** Digests of the texts of kernels, the latest last. */
  readonly kernels: readonly string[];
}

/** As it is stored: of matrices their sizes. */
interface StoredTable extends Pick<AcceptedTable, 'kernels'> {
  readonly matrices: Pick<Matrices, 'note'> & { readonly config?: MatrixSizes | undefined };
}

type StoredByAdapter = Readonly<Record<string, StoredTable>>;

const FORMAT = 'llamagen-accepted-1';
/** A model has about a hundred. */
const MOST_KERNELS = 5000;

export const acceptedPath = (env: Environment = process.env): string =>
  join(cacheFolder(env), 'accepted-kernels.json');

/** Nothing where the file is missing, broken or of another version: all is then tried again. */
export function readAccepted(path: string, adapter: string): AcceptedTable | undefined {
  const stored = tablesIn(path)[adapter];
  if (!stored) return undefined;
  const { config, note } = stored.matrices;
  return { ...stored, matrices: { config: config && matrixConfig(config), note } };
}

/** Adds to what is there, which another process may have written meanwhile. */
export function writeAccepted(path: string, adapter: string, table: AcceptedTable): void {
  const tables = tablesIn(path);
  const all = new Set([...(tables[adapter]?.kernels ?? []), ...table.kernels]);
  const kernels = [...all].slice(-MOST_KERNELS);
  const adapters = { ...tables, [adapter]: { matrices: table.matrices, kernels } };
  mkdirSync(dirname(path), { recursive: true });
  writeFileAtomic(path, `${JSON.stringify({ format: FORMAT, adapters })}\n`);
}

function tablesIn(path: string): StoredByAdapter {
  try {
    const json = parseJson(readFileSync(path, 'utf8'));
    if (!isRecord(json) || json.format !== FORMAT || !isRecord(json.adapters)) return {};
    const tables = Object.entries(json.adapters);
    return Object.fromEntries(tables.flatMap(([key, t]) => (isTable(t) ? [[key, t]] : [])));
  } catch {
    return {};
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTable = (value: unknown): value is StoredTable =>
  isRecord(value) &&
  isMatrices(value.matrices) &&
  Array.isArray(value.kernels) &&
  value.kernels.every((kernel) => typeof kernel === 'string');

function isMatrices(value: unknown): value is StoredTable['matrices'] {
  if (!isRecord(value)) return false;
  const { config, note } = value;
  if (note !== undefined && typeof note !== 'string') return false;
  if (config === undefined) return true;
  if (!isRecord(config) || !['f16', 'f32'].includes(String(config.operand))) return false;
  return ['m', 'n', 'k', 'lanes'].every((name) => Number.isInteger(config[name]));
}
