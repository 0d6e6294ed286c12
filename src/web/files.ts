/** Model files over HTTP, by range requests. */
import { OptionError, WeightsError } from '../errors.ts';
import { type ByteSource, checkRange, type ModelFiles } from '../weights/source.ts';
import { type RangeOptions, requestFirst, requestRange, requestSize } from './ranges.ts';

export interface UrlOptions {
  /** Cancels requests; what waits for them rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called with a line a user should see: a server that has no ranges makes loading costly. */
  readonly onNote?: ((note: string) => void) | undefined;
  /**
   * Most bytes held in memory, all files together, where the server ignores range requests.
   * Default 2^30 (1 GiB).
   */
  readonly maxHeldBytes?: number | undefined;
}

const MAX_HELD_BYTES = 2 ** 30;

/**
 * The files of a model below a URL. Only the bytes that are read are transferred. From a server
 * that ignores ranges a file is transferred once, unpacked where it comes compressed, and held in
 * memory while the model loads; files of more than `maxHeldBytes` are refused.
 * @param base Of the folder, absolute or relative to the page. A query is repeated for each file.
 * @throws OptionError when `maxHeldBytes` is no size.
 */
export function openUrl(base: string | URL, options: UrlOptions = {}): ModelFiles {
  const folder = new URL(base, globalThis.location?.href);
  const { maxHeldBytes = MAX_HELD_BYTES } = options;
  if (!Number.isSafeInteger(maxHeldBytes) || maxHeldBytes < 0) {
    throw new OptionError(`maxHeldBytes expected a number of bytes, got ${maxHeldBytes}`);
  }
  const held: Held = { most: maxHeldBytes, bytes: new Map() };
  return {
    name: folder.href,
    open(file) {
      const url = new URL(folder);
      url.pathname = `${folder.pathname.replace(/\/$/, '')}/${file.split('/').map(encodeURIComponent).join('/')}`;
      return openFile(url.href, options, held);
    },
  };
}

/** Bytes of files that are held in memory, by URL. */
interface Held {
  readonly most: number;
  readonly bytes: Map<string, number>;
}

async function openFile(name: string, options: UrlOptions, held: Held): Promise<ByteSource> {
  const { signal } = options;
  const ranges = (): RangeOptions => ({ signal, mostBytes: roomFor(name, held) });
  // The answer to a first byte tells the size even where HEAD would tell a compressed one.
  const first = await requestFirst(name, ranges());
  const byteLength = first.total ?? (await requestSize(name, ranges()));
  let whole: Uint8Array<ArrayBuffer> | undefined;
  const keep = (bytes: Uint8Array<ArrayBuffer>): void => {
    whole = bytes;
    held.bytes.set(name, byteLength);
    options.onNote?.(
      `${name}: the server ignores range requests, so all ${byteLength} bytes are held in memory`,
    );
  };
  if (first.whole) keep(first.bytes);
  return {
    name,
    byteLength,
    async read(offset, length) {
      checkRange({ name, byteLength }, offset, length);
      if (length === 0) return new Uint8Array(0);
      if (whole) return whole.slice(offset, offset + length);
      const answer = await requestRange(name, offset, length, ranges());
      const { total = byteLength, version, bytes } = answer;
      if (total !== byteLength || version !== first.version) {
        throw new WeightsError(`${name}: changed while it was read: load the model again`);
      }
      if (!answer.whole) return bytes;
      if (!whole) keep(bytes);
      return bytes.slice(offset, offset + length);
    },
  };
}

/** Bytes that a file may take beside the others that are held. */
function roomFor(name: string, { most, bytes }: Held): number {
  let others = 0;
  for (const [url, size] of bytes) if (url !== name) others += size;
  return Math.max(0, most - others);
}
