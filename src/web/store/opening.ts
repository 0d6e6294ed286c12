/** What all steps of opening a model of a server need. */
import { shortDigest } from '../../weights/digest.ts';
import { Blocks } from './blocks.ts';
import type { Origin } from './origin.ts';
import { gone, type Place } from './place.ts';
import { type FileRecord, type ModelRecord, readRecord } from './record.ts';
import type { RemoteFile } from './remote.ts';
import type { Web } from './requests.ts';
import type { SpillingPlace } from './spill.ts';
import type { OpenOptions } from './types.ts';

/** One opening of a model. */
export interface Opening {
  readonly origin: Origin;
  readonly place: SpillingPlace;
  /** Where the place writes as long as there is room. */
  readonly disk: Place;
  readonly options: OpenOptions;
  readonly silenceMs: number;
  /** Bytes that the browser would still keep; undefined where it does not say. */
  freeBytes(): Promise<number | undefined>;
}

/** Sends its requests. */
export const webOf = ({ origin, silenceMs }: Opening, signal: AbortSignal | undefined): Web => ({
  ...origin.web,
  signal,
  silenceMs,
  contacted: false,
});

/** The blocks of a file. */
export const blocksOf = (place: Place, { folder, url, bytes }: FileRecord): Blocks =>
  new Blocks(place, folder, url, bytes);

/** The record of the newest version of which all is here; one that cannot be read is none. */
export async function wholeRecord({ place, origin }: Opening): Promise<ModelRecord | undefined> {
  const record = await readRecord(place, origin.id).catch(gone);
  const whole = record?.complete ? record : record?.before;
  if (!whole) return undefined;
  const missing = await Promise.all(whole.files.map((file) => blocksOf(place, file).missing()));
  return missing.every((blocks) => blocks.length === 0) ? whole : undefined;
}

/** What the store remembers of a file. */
export async function recordOf(id: string, remote: RemoteFile): Promise<FileRecord> {
  const { content: _, ...file } = remote;
  const version = file.sha256 ?? file.gitHash ?? file.version ?? '';
  const digest = await shortDigest([file.file, file.bytes, version].join('\n'));
  return { ...file, folder: `${id}/${digest}` };
}
