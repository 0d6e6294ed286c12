/** Captions as rows of passes. Pure. */
import type { Row } from '../../kernels/lib/row-table.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import { noCondition } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';

/** A caption, and the slots that it begins. */
export interface Captioned {
  readonly slot: number;
  /** The slot of the rows without condition, where there is guidance. */
  readonly uncondSlot: number | undefined;
  readonly caption: CaptionFeatures;
}

/** A token of a caption that becomes a condition token. */
export interface ProjectedToken {
  readonly features: Float32Array;
  /** Line of `conditions`. */
  readonly place: number;
}

/** First position that is not padding: captions end where the image begins. */
export const firstOf = (
  { clsTokenNum }: Pick<GptConfig, 'clsTokenNum'>,
  { tokens }: CaptionFeatures,
): number => clsTokenNum - tokens;

/** Line of `conditions` where those of a slot begin, the padding among them. */
export const conditionOf = (
  { clsTokenNum }: Pick<GptConfig, 'clsTokenNum'>,
  slot: number,
): number => slot * clsTokenNum;

/** Every token of a caption. */
export function tokensOf(config: GptConfig, { slot, caption }: Captioned): ProjectedToken[] {
  const { values, tokens, dim } = caption;
  const first = conditionOf(config, slot) + firstOf(config, caption);
  return Array.from({ length: tokens }, (_, i) => ({
    features: values.subarray(i * dim, (i + 1) * dim),
    place: first + i,
  }));
}

/**
 * Rows whose keys and values the image needs: of every token but the last, which draws the first token of
 * the image. Rows without condition have the same padding, as the official code has it. Padding itself
 * has none: nothing else attends to it, and nothing is drawn from it.
 * @param slots Of all sequences.
 */
export function rowsToFill(config: GptConfig, slots: number, captioned: Captioned): Row[] {
  const { slot, uncondSlot, caption } = captioned;
  const first = firstOf(config, caption);
  const rowsOf = (where: number, condition: number): Row[] =>
    Array.from({ length: caption.tokens - 1 }, (_, i) => {
      return { slot: where, position: first + i, sequence: slot, condition };
    });
  return [
    ...rowsOf(slot, conditionOf(config, slot)),
    ...(uncondSlot === undefined ? [] : rowsOf(uncondSlot, noCondition(config, slots))),
  ];
}

/** The passes that captions are prefilled in. */
export interface PrefillShape {
  /** Rows of those that there can be, in order. */
  readonly counts: readonly number[];
  /** Whether time grows with the rows, so that idle ones are to be avoided rather than more passes. */
  readonly rowsCost: boolean;
}

export const prefillShape = (software: boolean): PrefillShape =>
  software
    ? { counts: [8, 32], rowsCost: true }
    : // A tile of the product has 64 rows: with fewer tiles most multiprocessors of a large GPU wait.
      { counts: [32, 128, 512], rowsCost: false };

/** Rows of the next pass when so many are left: the fewest that hold all of them, else the most. */
export function nextRows(left: number, { counts, rowsCost }: PrefillShape): number {
  const [least = 1] = counts;
  if (rowsCost) return counts.findLast((rows) => rows <= left) ?? least;
  return counts.find((rows) => rows >= left) ?? counts.at(-1) ?? least;
}
