/** Brings the files of a model into the store, block by block. */
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { DownloadError, WeightsError } from '../../errors.ts';
import { gitPrefix, otherContent } from '../../hub/content.ts';
import { TransientError } from '../../hub/transient.ts';
import { BLOCK_BYTES, type Blocks } from './blocks.ts';
import type { Bytes } from './place.ts';
import { type RemoteFile, streamRange } from './remote.ts';
import type { Web } from './requests.ts';

/** Looks at what is missing. */
const MAX_ROUNDS = 2;

/** The hash of a whole file, made of its blocks in order. */
class Running {
  /** The block that comes next. */
  next = 0;
  readonly #hash: { update(bytes: Uint8Array): unknown; digest(): Uint8Array };
  readonly #expected: string;

  constructor({ sha256: expected, gitHash = '', bytes }: RemoteFile) {
    this.#expected = expected ?? gitHash;
    this.#hash = expected === undefined ? sha1.create() : sha256.create();
    if (expected === undefined) this.#hash.update(new TextEncoder().encode(gitPrefix(bytes)));
  }

  add(index: number, bytes: Bytes): void {
    if (index !== this.next) return;
    this.#hash.update(bytes);
    this.next++;
  }

  /** @throws DownloadError (`wrong-bytes`) when it is another one than was promised. */
  assert(name: string): void {
    const found = bytesToHex(this.#hash.digest());
    if (found === this.#expected) return;
    throw new DownloadError(
      'wrong-bytes',
      `${name}: expected the hash ${this.#expected}, got ${found}: a proxy or a mirror changed it: load it again`,
    );
  }
}

/**
 * Fetches the blocks that are missing, and checks the whole against its hash where one is known.
 * @param onBytes Called with the bytes of the file that are here.
 * @throws TransientError where another try may go better; DownloadError (`wrong-bytes`) when the content is
 * another one; what the place throws.
 */
export async function fetchBlocks(
  web: Web,
  file: RemoteFile,
  blocks: Blocks,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const isHashed = file.sha256 !== undefined || file.gitHash !== undefined;
  const running = isHashed ? new Running(file) : undefined;
  let done = 0;
  const keep = async (index: number, bytes: Bytes): Promise<void> => {
    await blocks.write(index, bytes);
    running?.add(index, bytes);
    done += bytes.byteLength;
    onBytes(done);
  };
  // What was torn when the room gave out is missing once more.
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const missing = await blocks.missing();
    done = await blocks.storedBytes();
    onBytes(done);
    for (const { from, to } of runs(missing)) {
      await fetchRun(web, file, blocks, { from, to }, keep, (more) => onBytes(done + more));
    }
  }
  if (!running) return;
  for (let index = running.next; index < blocks.count; index++) {
    web.signal?.throwIfAborted();
    const stored = await blocks.read(index);
    const bytes = stored ?? (await fetchBlock(web, file, blocks, index));
    if (!stored) await blocks.write(index, bytes);
    running.add(index, bytes);
  }
  running.assert(blocks.name);
}

/** One block, fetched and not written. */
export async function fetchBlock(
  web: Web,
  file: RemoteFile,
  blocks: Blocks,
  index: number,
): Promise<Bytes> {
  let found: Bytes | undefined;
  const keep = async (_: number, bytes: Bytes): Promise<void> => {
    found = bytes;
  };
  await fetchRun(web, file, blocks, { from: index, to: index }, keep, () => {});
  if (found) return found;
  throw new TransientError('server', `${file.url}: block ${index} did not come`);
}

/** Blocks that follow each other; `to` is the last one. */
interface Run {
  readonly from: number;
  readonly to: number;
}

function runs(indices: readonly number[]): Run[] {
  const found: Run[] = [];
  for (const index of indices) {
    const last = found.at(-1);
    if (last?.to === index - 1) found[found.length - 1] = { from: last.from, to: index };
    else found.push({ from: index, to: index });
  }
  return found;
}

/** Fetches blocks with one request. */
async function fetchRun(
  web: Web,
  file: RemoteFile,
  blocks: Blocks,
  { from, to }: Run,
  keep: (index: number, bytes: Bytes) => Promise<void>,
  onBytes: (unkept: number) => void,
): Promise<void> {
  const begin = from * BLOCK_BYTES;
  const end = to * BLOCK_BYTES + blocks.lengthOf(to);
  let block = new Uint8Array(blocks.lengthOf(from));
  let filled = 0;
  let index = from;
  const take = async (chunk: Uint8Array, at: number): Promise<void> => {
    web.signal?.throwIfAborted();
    for (let i = Math.max(0, begin - at); i < chunk.byteLength; ) {
      const piece = chunk.subarray(i, i + block.byteLength - filled);
      block.set(piece, filled);
      filled += piece.byteLength;
      i += piece.byteLength;
      if (filled < block.byteLength) continue;
      if (index === 0) assertNoOther(file, block);
      await keep(index, block);
      index++;
      filled = 0;
      block = new Uint8Array(index <= to ? blocks.lengthOf(index) : 0);
      if (index > to) return;
    }
    onBytes(filled);
  };
  if (file.content) return take(file.content, 0);
  await streamRange(web, file, begin, end - 1, take);
}

/** @throws WeightsError when a file begins like what servers send in its place. */
function assertNoOther({ file, url }: RemoteFile, start: Bytes): void {
  const other = otherContent(file, start);
  if (other === undefined) return;
  const what =
    other === 'page'
      ? 'the server sent a web page in its place'
      : 'the server sent the LFS pointer in place of the file: it was cloned without "git lfs pull"';
  throw new WeightsError(`${url}: no weights: ${what}`);
}
