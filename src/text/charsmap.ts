/**
 * SentencePiece's table of replacements, `precompiled_charsmap`: which strings of a text are
 * replaced by which before it is cut into tokens (`nmt_nfkc` in T5: NFKC with exceptions).
 *
 * A table is a number of bytes (u32, little-endian), a double-array trie of that size over UTF-8
 * (Darts-clone: one u32 a unit), and the replacements in UTF-8, each with a zero behind it, which
 * the trie's values point to. `String.prototype.normalize` is no substitute: the table is of one
 * version of Unicode, maps the kinds of blanks to one and takes some control characters out.
 */
import { WeightsError } from '../errors.ts';

/** The longest string at a place of a text that the table replaces. */
export interface Replacement {
  /** Bytes of the text that are replaced. */
  readonly length: number;
  readonly by: string;
}

/** A table that was read. */
export interface Charsmap {
  /** What replaces the text at `place` of its UTF-8 bytes; undefined where it stays. */
  longestAt(text: Uint8Array, place: number): Replacement | undefined;
}

/** @throws WeightsError when it is no table of replacements. */
export function readCharsmap(bytes: Uint8Array): Charsmap {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trieBytes = bytes.byteLength < 4 ? 0 : view.getUint32(0, true);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.byteLength) {
    throw new WeightsError(
      `a tokenizer's precompiled_charsmap of ${bytes.byteLength} bytes holds no trie: the file is damaged; download it again`,
    );
  }
  const units = Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  return new Trie(Uint32Array.from(units), bytes.subarray(4 + trieBytes));
}

class Trie implements Charsmap {
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;
  readonly #known = new Map<number, string>();

  constructor(units: Uint32Array, replacements: Uint8Array) {
    this.#units = units;
    this.#replacements = replacements;
  }

  longestAt(text: Uint8Array, place: number): Replacement | undefined {
    let node = offsetOf(this.#unit(0));
    let found: { length: number; value: number } | undefined;
    for (let at = place; at < text.length; at++) {
      const label = text[at] ?? 0;
      node ^= label;
      const unit = this.#unit(node);
      // A value's unit has its highest bit set, so that it is no byte's.
      if ((unit & 0x800000ff) !== label) break;
      node ^= offsetOf(unit);
      if ((unit >>> 8) & 1)
        found = { length: at + 1 - place, value: this.#unit(node) & 0x7fffffff };
    }
    return found && { length: found.length, by: this.#text(found.value) };
  }

  /** A unit of the trie; one that is in no trie ends every walk. */
  #unit(index: number): number {
    return this.#units[index] ?? 0x80000000;
  }

  #text(start: number): string {
    const known = this.#known.get(start);
    if (known !== undefined) return known;
    const end = this.#replacements.indexOf(0, start);
    const bytes = this.#replacements.subarray(start, end < 0 ? undefined : end);
    const text = new TextDecoder().decode(bytes);
    this.#known.set(start, text);
    return text;
  }
}

/** How far from a unit its children are, to be combined by exclusive or. */
function offsetOf(unit: number): number {
  return ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
}
