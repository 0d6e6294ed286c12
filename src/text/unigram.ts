/**
 * SentencePiece's unigram model: the cut of a text into pieces with the largest sum of scores
 * (log probabilities), found by dynamic programming over the text's characters.
 *
 * Source: Kudo 2018, "Subword Regularization"; sentencepiece `unigram::Model::EncodeOptimized`,
 * whose rounding of sums to float32 decides between cuts of equal scores and is kept here.
 */

/** How much worse than the least likely piece a character is that no piece has. */
const UNKNOWN_PENALTY = 10;

export interface Vocabulary {
  /** Pieces by their ids with their scores. */
  readonly pieces: readonly (readonly [piece: string, score: number])[];
  /** The id of what no piece has. */
  readonly unknown: number;
  /** Ids that no text has: those of padding, end and others, and the unknown one. */
  readonly control: ReadonlySet<number>;
}

/** A piece of a text: its id, and where it begins in the text's UTF-16. */
export interface Piece {
  readonly id: number;
  readonly start: number;
}

export class Unigram {
  readonly #ids = new Map<string, number>();
  readonly #scores: Float32Array;
  readonly #longest: number;
  readonly #unknown: number;
  readonly #unknownScore: number;

  constructor({ pieces, unknown, control }: Vocabulary) {
    this.#scores = Float32Array.from(pieces, ([, score]) => score);
    let longest = 1;
    let least = Number.POSITIVE_INFINITY;
    for (const [id, [piece, score]] of pieces.entries()) {
      if (control.has(id)) continue;
      this.#ids.set(piece, id);
      longest = Math.max(longest, piece.length);
      least = Math.min(least, Math.fround(score));
    }
    this.#longest = longest;
    this.#unknown = unknown;
    this.#unknownScore = Math.fround(least - UNKNOWN_PENALTY);
  }

  /** The pieces of a normalized text in their order; what is unknown is one piece, however long. */
  cut(text: string): Piece[] {
    const { from, ids } = this.#best(text);
    const pieces: Piece[] = [];
    for (let end = text.length; end > 0; ) {
      const start = from[end] ?? 0;
      const id = ids[end] ?? this.#unknown;
      if (id === this.#unknown && pieces.at(-1)?.id === this.#unknown) pieces.pop();
      pieces.push({ id, start });
      end = start;
    }
    return pieces.reverse();
  }

  /** For each end of a piece in UTF-16 where the best last piece begins, and its id. */
  #best(text: string): { from: Int32Array; ids: Int32Array } {
    const best = new Float32Array(text.length + 1);
    const from = new Int32Array(text.length + 1).fill(-1);
    const ids = new Int32Array(text.length + 1);
    const offer = (start: number, end: number, id: number, score: number): void => {
      const sum = score + (best[start] ?? 0);
      if (from[end] !== -1 && sum <= (best[end] ?? 0)) return;
      best[end] = sum;
      from[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < text.length; ) {
      const next = start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
      let single = false;
      for (let end = next; end <= Math.min(start + this.#longest, text.length); end++) {
        const id = this.#ids.get(text.slice(start, end));
        if (id === undefined) continue;
        offer(start, end, id, this.#scores[id] ?? 0);
        single ||= end === next;
      }
      if (!single) offer(start, next, this.#unknown, this.#unknownScore);
      start = next;
    }
    return { from, ids };
  }
}
