/**
 * The cache: contents under their SHA-256, and for each file of the hub a record of the content it
 * had. A record is written last, so that what it names is whole; parts of downloads stay beside.
 *
 *     blobs/<sha256>                          content, checked
 *     blobs/<key>.part, <key>.part.json       the first bytes of a download, and whose they are
 *     blobs/<key>.bad                         a download with other bytes than the hub announced
 *     refs/<owner>--<repo>/<revision>/<file>.json
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DownloadError } from '../../errors.ts';
import type { Asked } from '../../hub/address.ts';
import type { HubFile } from '../../hub/answer.ts';
import { fileProblem } from '../file-problem.ts';
import { writeFileAtomic } from '../output.ts';

/** What is known of a file that was downloaded. */
export interface CacheRecord {
  readonly sha256: string;
  readonly bytes: number;
  readonly etag: string;
  readonly commit?: string | undefined;
}

/** Paths of one download. */
export interface PartPaths {
  readonly part: string;
  readonly partInfo: string;
  readonly bad: string;
  readonly lock: string;
}

const SHA256 = /^[0-9a-f]{64}$/;

export class Cache {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** @throws DownloadError (`disk`) when the folders cannot be made. */
  prepare(): void {
    try {
      mkdirSync(join(this.folder, 'blobs'), { recursive: true });
    } catch (cause) {
      throw cacheError(this.folder, cause);
    }
  }

  blob(sha256: string): string {
    return join(this.folder, 'blobs', sha256);
  }

  /**
   * Where the parts of a version of a file go. Versions with a known hash share the name of their
   * content; others are told apart by what the hub calls them.
   */
  parts(asked: Asked, { sha256, etag }: Pick<HubFile, 'sha256' | 'etag'>): PartPaths {
    const named = JSON.stringify([asked.repo, asked.file, etag]);
    const key = sha256 ?? `etag-${createHash('sha256').update(named).digest('hex')}`;
    const path = (ending: string): string => join(this.folder, 'blobs', `${key}.${ending}`);
    return {
      part: path('part'),
      partInfo: path('part.json'),
      bad: path('bad'),
      lock: path('lock'),
    };
  }

  /** What is known of a file, if its content is here and as long as it should be. */
  find(asked: Asked): CacheRecord | undefined {
    const record = readJson(this.#record(asked));
    return isRecord(record) && this.has(record) ? record : undefined;
  }

  has({ sha256, bytes }: Pick<CacheRecord, 'sha256' | 'bytes'>): boolean {
    return statSync(this.blob(sha256), { throwIfNoEntry: false })?.size === bytes;
  }

  /** Writes a record, the last step of a download. */
  record(asked: Asked, record: CacheRecord): void {
    const path = this.#record(asked);
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileAtomic(path, `${JSON.stringify(record)}\n`);
    } catch (cause) {
      throw cacheError(path, cause);
    }
  }

  #record({ repo, revision, file }: Asked): string {
    const folder = join(this.folder, 'refs', safe(repo), safe(revision));
    return join(folder, `${safe(file)}.json`);
  }
}

/** Removes what is left of a version of a file that the hub no longer has. */
export function removeParts({ part, partInfo, lock }: PartPaths): void {
  if (existsSync(lock)) return;
  for (const path of [part, partInfo]) rmSync(path, { force: true });
}

/** The JSON of a small file; undefined when it is not there or none. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // A record that cannot be read is as good as none: the file is fetched again.
    return undefined;
  }
}

/** The error for a folder or file of the cache that cannot be used. */
export function cacheError(path: string, cause: unknown): DownloadError {
  return new DownloadError(
    'disk',
    `the cache cannot be written: ${path}: ${fileProblem(cause)}; set LLAMAGEN_CACHE to another folder`,
    { cause },
  );
}

/** A name without slashes or dots that lead elsewhere. */
function safe(name: string): string {
  return encodeURIComponent(name.replaceAll('/', '--')).replaceAll('..', '%2E%2E');
}

function isRecord(value: unknown): value is CacheRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { sha256, bytes, etag } = value as Partial<Record<keyof CacheRecord, unknown>>;
  return (
    typeof sha256 === 'string' &&
    SHA256.test(sha256) &&
    Number.isSafeInteger(bytes) &&
    typeof etag === 'string'
  );
}
