/** Reads the fields of a pickle. */

/** Thrown by a read past the end: the pickle is cut, or only its beginning was given. */
export class EndOfPickle extends Error {
  override readonly name = 'EndOfPickle';
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NEWLINE = 10;

/** Longest text that may have halves of surrogate pairs, in bytes. */
const MAX_HALVES_BYTES = 2 ** 16;

/** Text in which the halves of surrogate pairs are written like other characters, in three bytes. */
function textWithHalves(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_HALVES_BYTES) return undefined;
  const parts: string[] = [];
  let start = 0;
  try {
    for (let at = bytes.indexOf(0xed); at >= 0; at = bytes.indexOf(0xed, at + 1)) {
      const [, second = 0, third = 0] = bytes.subarray(at, at + 3);
      if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue;
      parts.push(UTF8.decode(bytes.subarray(start, at)));
      parts.push(String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f)));
      start = at + 3;
    }
    return start === 0 ? undefined : parts.join('') + UTF8.decode(bytes.subarray(start));
  } catch {
    return undefined;
  }
}

/** A position in bytes, moved on by each read. Little-endian, as pickles are. */
export class PickleBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** A length. One beyond 2^53 is infinite: no file has so many bytes. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#advance(8), true);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value);
  }

  /** Floats alone are big-endian. */
  f64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** The next bytes, which the result shares. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /**
   * Text, or undefined when it is not UTF-8. Half characters are text too: Python writes file names
   * that are not UTF-8 with them.
   */
  text(length: number): string | undefined {
    const bytes = this.take(length);
    try {
      return UTF8.decode(bytes);
    } catch {
      return textWithHalves(bytes);
    }
  }

  /** Text up to a line end, or undefined when it is longer than `most` bytes or not UTF-8. */
  line(most: number): string | undefined {
    const end = this.#bytes.indexOf(NEWLINE, this.#at);
    const length = (end < 0 ? this.#bytes.length : end) - this.#at;
    if (length > most) return undefined;
    if (end < 0) throw new EndOfPickle();
    const text = this.text(length);
    this.#at = end + 1;
    return text;
  }

  /** A signed whole number of `length` bytes: a number where it is exact, else a bigint. */
  integer(length: number): number | bigint {
    const bytes = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
    const signed = BigInt.asIntN(8 * length, value);
    const exact = Number(signed);
    return Number.isSafeInteger(exact) ? exact : signed;
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new EndOfPickle();
    this.#at = start + length;
    return start;
  }
}
