/** One process at a time for one download. */
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { DownloadError } from '../../errors.ts';
import { pause } from '../../hub/retry.ts';
import { cacheError } from './cache.ts';

/** A holder shows this often that it is alive. */
const HEARTBEAT_MS = 10_000;

/** A lock that shows no sign of life for so long is left over. */
const STALE_MS = 120_000;

export interface LockOptions {
  readonly pollMs: number;
  readonly signal: AbortSignal | undefined;
  /** Called once when another process has the lock. */
  onWait(): void;
}

/**
 * Runs `work` while this process alone has the lock file `path`; waits for another that has it. A
 * lock is left over when its process is gone or, seen from another machine, when it was silent for
 * two minutes.
 * @param work Is given a check that throws when the lock was taken away, as from a process that was
 * stopped for long.
 */
export async function withLock<T>(
  path: string,
  options: LockOptions,
  work: (assertHeld: () => void) => Promise<T>,
): Promise<T> {
  const owner = JSON.stringify({ id: randomUUID(), pid: process.pid, host: hostname() });
  let told = false;
  while (!take(path, owner)) {
    if (removeStale(path)) continue;
    if (!told) options.onWait();
    told = true;
    await pause(options.pollMs, options.signal);
  }
  const isHeld = (): boolean => read(path) === owner;
  const heartbeat = setInterval(() => {
    if (isHeld()) utimesSync(path, new Date(), new Date());
  }, HEARTBEAT_MS);
  heartbeat.unref();
  const release = (): void => {
    if (isHeld()) rmSync(path, { force: true });
  };
  // A process may be ended while it works.
  process.on('exit', release);
  try {
    return await work(() => {
      if (!isHeld()) {
        throw new DownloadError('disk', `${path}: another process took over this download`);
      }
    });
  } finally {
    clearInterval(heartbeat);
    process.off('exit', release);
    release();
  }
}

/** Makes the lock file, unless there is one. */
function take(path: string, owner: string): boolean {
  try {
    writeFileSync(path, owner, { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw cacheError(path, error);
  }
}

/** Removes a lock that is left over; whether it did, or it is gone. */
function removeStale(path: string): boolean {
  const content = read(path);
  const found = statSync(path, { throwIfNoEntry: false });
  if (content === undefined || !found) return true;
  if (!isDead(content) && Date.now() - found.mtimeMs < STALE_MS) return false;
  // Of two processes that see it, one gets it; renaming shows whether it is still the one that was seen.
  const aside = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    renameSync(path, aside);
  } catch {
    return true;
  }
  const isOther = read(aside) !== content;
  if (isOther) renameSync(aside, path);
  else rmSync(aside, { force: true });
  return !isOther;
}

/** Whether the process of a lock ran on this machine and is gone. */
function isDead(content: string): boolean {
  const { pid, host } = parseOwner(content);
  if (host !== hostname() || pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
}

function parseOwner(content: string): { pid?: number; host?: string } {
  try {
    const value: unknown = JSON.parse(content);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    // A process was killed between making the file and writing it: only its age tells.
    return {};
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
