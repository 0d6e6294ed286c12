/** How many passes are queued at a time. Pure. */
import type { Placed } from './placed.ts';

/** A sequence, its positions in a pass, and where it wants to be looked at. */
export interface Wish {
  readonly placed: Placed;
  readonly count: number;
  /** Tokens from one look to the next. */
  readonly every: readonly (number | undefined)[];
}

/** How far expectations may be off, as a share of what is expected and was not seen yet. */
const DOUBT = 0.15;

/**
 * Passes until a sequence is full, wants to be looked at, or needs other rows; where that is uncertain,
 * as many as are likely to be of use.
 * @param most Passes of a chunk.
 * @returns 0 where it is better to wait for what is queued.
 */
export function chunkSize(wishes: readonly Wish[], blockSize: number, most: number): number {
  const useful = wishes.map((wish) => usefulPasses(wish, blockSize)).filter((n) => n > 0);
  return useful.length === 0 ? 0 : Math.min(most, ...useful);
}

function usefulPasses({ placed, count, every }: Wish, blockSize: number): number {
  const { isExact, seen, positionsLeft } = placed;
  const { least, expected } = placed.at;
  const at = isExact ? least : expected;
  const ends = every.map((n) => (n === undefined ? blockSize : (Math.floor(at / n) + 1) * n));
  const togo = Math.min(blockSize, ...ends) - at;
  if (isExact && count === 1) return togo;
  if (isExact && count <= positionsLeft) return Math.floor(positionsLeft / count);
  return Math.ceil((togo - DOUBT * (at - seen)) / (placed.rate(count) * (1 + DOUBT)));
}
