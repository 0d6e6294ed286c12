/** A file in blocks of 4 MiB, each a sealed file of its own: what came is kept, what broke is known. */
import { type ByteSource, checkRange } from '../../weights/source.ts';
import { type Bytes, gone, type Held, type Place } from './place.ts';
import { getSealed, putSealed, readSealed } from './sealed.ts';

/** Bytes of all blocks but the last. */
export const BLOCK_BYTES: number = 4 * 2 ** 20;

/** One version of a file, or as much of it as is there. */
export class Blocks {
  /** For messages. */
  readonly name: string;
  readonly byteLength: number;
  /** Blocks that it takes. */
  readonly count: number;
  readonly #place: Place;
  readonly #folder: string;

  /** @param folder Of this version alone. */
  constructor(place: Place, folder: string, name: string, byteLength: number) {
    this.name = name;
    this.byteLength = byteLength;
    this.count = Math.ceil(byteLength / BLOCK_BYTES);
    this.#place = place;
    this.#folder = folder;
  }

  /** Bytes of a block. */
  lengthOf(index: number): number {
    return Math.min(BLOCK_BYTES, this.byteLength - index * BLOCK_BYTES);
  }

  /** Blocks that are not there, in order. Those that are may still be damaged. */
  async missing(): Promise<number[]> {
    const there = new Set(await this.#place.names(this.#folder));
    return Array.from({ length: this.count }, (_, i) => i).filter((i) => !there.has(String(i)));
  }

  /** Bytes of the blocks that are there. */
  async storedBytes(): Promise<number> {
    const missing = await this.missing();
    return missing.reduce((sum, index) => sum - this.lengthOf(index), this.byteLength);
  }

  /** A block; undefined where it is missing, damaged or of another length. */
  async read(index: number): Promise<Bytes | undefined> {
    const bytes = await getSealed(this.#place, this.#path(index)).catch(gone);
    return bytes?.byteLength === this.lengthOf(index) ? bytes : undefined;
  }

  /** @throws as `put` of the place. */
  async write(index: number, bytes: Bytes): Promise<void> {
    await putSealed(this.#place, this.#path(index), bytes);
  }

  /**
   * The file as what weights are read from. A block is checked when it is read first.
   * @param mend Gives the bytes of a block that is missing or damaged, and writes them where they are kept.
   */
  source(mend: (index: number) => Promise<Bytes>): ByteSource {
    const { name, byteLength } = this;
    const checked = new Map<number, Held>();
    // Weights are read in order, in pieces that are shorter than blocks.
    let last: { readonly index: number; readonly bytes: Bytes } | undefined;
    const whole = async (index: number): Promise<Bytes> => {
      const held = await this.#place.get(this.#path(index)).catch(gone);
      const bytes = held && (await readSealed(held).catch(gone));
      const isRight = bytes?.byteLength === this.lengthOf(index);
      if (held && isRight) checked.set(index, held);
      return isRight ? bytes : mend(index);
    };
    const readBlock = async (index: number, from: number, target: Bytes): Promise<void> => {
      if (last?.index !== index) {
        const piece = await checked.get(index)?.read(from, target.byteLength).catch(gone);
        if (piece?.byteLength === target.byteLength) return target.set(piece);
        last = { index, bytes: await whole(index) };
      }
      target.set(last.bytes.subarray(from, from + target.byteLength));
    };
    const readInto = async (offset: number, target: Bytes): Promise<void> => {
      checkRange({ name, byteLength }, offset, target.byteLength);
      for (let done = 0; done < target.byteLength; ) {
        const at = offset + done;
        const from = at % BLOCK_BYTES;
        const length = Math.min(BLOCK_BYTES - from, target.byteLength - done);
        await readBlock((at - from) / BLOCK_BYTES, from, target.subarray(done, done + length));
        done += length;
      }
    };
    return {
      name,
      byteLength,
      readInto,
      async read(offset, length) {
        checkRange({ name, byteLength }, offset, length);
        const bytes = new Uint8Array(length);
        await readInto(offset, bytes);
        return bytes;
      },
    };
  }

  #path(index: number): string {
    return `${this.#folder}/${index}`;
  }
}
