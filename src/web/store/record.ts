/** What the store remembers of a model: where it is from, and which versions of which files it has. */
import type { Place } from './place.ts';
import { getSealed, putSealed } from './sealed.ts';
import type { StoredModel } from './types.ts';

/** A file of a model. */
export interface FileRecord {
  /** Its name in the model. */
  readonly file: string;
  readonly url: string;
  readonly bytes: number;
  readonly version?: string | undefined;
  readonly sha256?: string | undefined;
  readonly gitHash?: string | undefined;
  readonly sameNames: boolean;
  readonly isRangeless?: boolean | undefined;
  /** The folder of its blocks. */
  readonly folder: string;
}

export interface ModelRecord {
  readonly format: 1;
  readonly name: string;
  readonly source: StoredModel['source'];
  readonly files: readonly FileRecord[];
  /** Whether all of it was fetched and checked. */
  readonly complete: boolean;
  readonly usedAt: number;
  /** The version that is used until all of this one is here. */
  readonly before?: ModelRecord | undefined;
}

/** The files that a record names, those of the version before with them. */
export function namedFiles({ files, before }: ModelRecord): FileRecord[] {
  const all = [...files, ...(before?.files ?? [])];
  return [...new Map(all.map((file) => [file.folder, file])).values()];
}

const RECORD = 'record';

/** The record of a model; undefined where there is none that can be read. */
export async function readRecord(place: Place, id: string): Promise<ModelRecord | undefined> {
  const bytes = await getSealed(place, `${id}/${RECORD}`);
  if (!bytes) return undefined;
  // Nobody else writes sealed files here.
  const record: ModelRecord = JSON.parse(new TextDecoder().decode(bytes));
  return record.format === 1 ? record : undefined;
}

/** @throws as `put` of the place. */
export async function writeRecord(place: Place, id: string, record: ModelRecord): Promise<void> {
  await putSealed(place, `${id}/${RECORD}`, new TextEncoder().encode(JSON.stringify(record)));
}

/**
 * Removes what nobody could see: what the record of a model does not name, and all of it where there is none. It
 * stays when a browser ends while it removes something, or writes a record.
 */
export async function tidy(place: Place, id: string): Promise<void> {
  const record = await readRecord(place, id);
  if (record) await removeOthers(place, id, namedFiles(record));
  else await place.remove(id);
}

/** Removes what the record does not name: older versions of files. */
export async function removeOthers(
  place: Place,
  id: string,
  files: readonly FileRecord[],
): Promise<void> {
  const kept = new Set([RECORD, ...files.map(({ folder }) => folder.slice(id.length + 1))]);
  for (const name of await place.names(id)) {
    if (!kept.has(name)) await place.remove(`${id}/${name}`);
  }
}
