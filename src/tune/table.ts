/** What a tuner found out, as text that outlives the program. Pure. */
import type { Tile, Tiles } from '../ops/tiles.ts';
import { parseJson } from '../weights/json-text.ts';
import { quote } from '../weights/quote.ts';

/** The result for one key `family shape`. */
export interface Tuned {
  /** Settings that beat the kernel's own choice; empty where none did. */
  readonly tile: Tile;
  /** Microseconds of all measured runs of the kernel's own choice, and of this tile. */
  readonly ownUs: number;
  readonly us: number;
}

export type TunedTable = Readonly<Record<string, Tuned>>;

/** The results of one adapter. */
export interface AdapterTable {
  /** Digest of the texts of the kernels that were measured; of others nothing is known. */
  readonly kernels: string;
  readonly tuned: TunedTable;
}

/** By adapter, driver, features and toggles; see `adapterKey`. */
export type TablesByAdapter = Readonly<Record<string, AdapterTable>>;

const FORMAT = 'llamagen-tiles-1';

/** The tiles that beat the own choices. */
export const tilesOf = (tuned: TunedTable): Tiles =>
  Object.fromEntries(
    Object.entries(tuned)
      .filter(([, { tile }]) => Object.keys(tile).length > 0)
      .map(([key, { tile }]) => [key, tile]),
  );

/** Known tiles of an adapter, but for what was measured: also where the own choice was then the best. */
export const withTuned = (known: Tiles, tuned: TunedTable): Tiles => ({
  ...Object.fromEntries(Object.entries(known).filter(([key]) => !Object.hasOwn(tuned, key))),
  ...tilesOf(tuned),
});

export const formatTables = (adapters: TablesByAdapter): string =>
  `${JSON.stringify({ format: FORMAT, adapters }, undefined, 1)}\n`;

/**
 * Reads what `formatTables` wrote.
 * @throws Error that says what is wrong.
 */
export function parseTables(text: string): TablesByAdapter {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    throw new Error('it is not JSON');
  }
  if (!isRecord(json) || json.format !== FORMAT) throw new Error(`it is no ${FORMAT} file`);
  if (!isRecord(json.adapters)) throw new Error('"adapters" expected an object');
  const tables = Object.entries(json.adapters);
  return Object.fromEntries(tables.map(([adapter, table]) => [adapter, readTable(adapter, table)]));
}

/**
 * Checks the results of one adapter.
 * @throws Error that says what is wrong.
 */
export function readTable(adapter: string, table: unknown): AdapterTable {
  if (!isRecord(table) || typeof table.kernels !== 'string' || !isRecord(table.tuned)) {
    throw new Error(`${quote(adapter)} expected a digest "kernels" and an object "tuned"`);
  }
  const tuned = Object.entries(table.tuned).map(([key, value]) => [key, readTuned(key, value)]);
  return { kernels: table.kernels, tuned: Object.fromEntries(tuned) };
}

function readTuned(key: string, value: unknown): Tuned {
  if (!isRecord(value) || !isTile(value.tile) || !isTime(value.ownUs) || !isTime(value.us)) {
    throw new Error(`${quote(key)} expected a tile and the times "ownUs" and "us"`);
  }
  return { tile: value.tile, ownUs: value.ownUs, us: value.us };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;

const isTile = (value: unknown): value is Tile =>
  isRecord(value) &&
  Object.values(value).every((setting) => ['number', 'string', 'boolean'].includes(typeof setting));
