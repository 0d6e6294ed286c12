/** How attention over the KV cache divides its work. */
import { assert, ceilDiv, MAX_WORKGROUP_BYTES, type Variant } from '../kernel.ts';
import { assertTile } from '../lib/params.ts';
import type { KvShape } from './kv-cache.ts';

/** Nothing here depends on the number of rows: each of these settings changes the order of sums. */
export type AttentionTile = {
  /** Invocations of a workgroup; a power of two. */
  readonly size: number;
  /**
   * Neighbouring invocations that share the dot product of a key, as many as workgroup memory allows;
   * a power of two.
   */
  readonly span: number;
};

export interface AttentionShape extends KvShape {
  readonly nHead: number;
}

/** Settings of a tile, by name. */
export const ATTENTION_SETTINGS: readonly (keyof AttentionTile)[] = ['size', 'span'];

/** Parts of 17 positions where an image has 32x32 tokens. */
const MAX_SPLIT = 64;

/**
 * The tile of attention: the own choice for its shape and variant, but for what `tile` says.
 * @param columns Positions that a workgroup covers.
 * @throws RangeError when it cannot be.
 */
export function attentionTile(
  kernel: string,
  shape: AttentionShape,
  columns: number,
  variant: Variant,
  tile?: Partial<AttentionTile>,
): AttentionTile {
  assertTile(kernel, tile, ATTENTION_SETTINGS);
  const whole = { ...ownAttentionTile(shape, variant), ...tile };
  const problem = attentionProblem(whole, shape, columns, variant);
  assert(problem === undefined, `${kernel}: ${problem}`);
  return whole;
}

/** Why attention cannot be made with a tile, or undefined where it can. */
export function attentionProblem(
  { size, span }: AttentionTile,
  { headDim }: Pick<AttentionShape, 'headDim'>,
  columns: number,
  { reduce }: Variant,
): string | undefined {
  const quads = headDim / 4;
  const isPower = (n: number): boolean => Number.isInteger(n) && n > 0 && (n & (n - 1)) === 0;
  if (!isPower(size) || size > 256 || !isPower(span) || span > size) {
    return `size ${size} and span ${span} expected powers of two, at most 256, the span within the size`;
  }
  if (reduce === 'serial') {
    return span === 1 ? undefined : `a serial kernel shares no key, got span ${span}`;
  }
  if (size < quads) return `heads of ${headDim} need size ${quads}, got ${size}`;
  const bytes = bytesOf(size, 1, quads, columns);
  return bytes > MAX_WORKGROUP_BYTES
    ? `${columns} positions need ${bytes} bytes of workgroup memory, at most ${MAX_WORKGROUP_BYTES} are there`
    : undefined;
}

/** Throws a RangeError unless positions can be cut into so many parts. */
export function assertSplit(kernel: string, split: number): void {
  const problem = splitProblem(split);
  assert(problem === undefined, `${kernel}: ${problem}`);
}

/** Why positions cannot be cut into so many parts, or undefined where they can. */
export const splitProblem = (split: number): string | undefined =>
  Number.isInteger(split) && split > 0 && split <= MAX_SPLIT
    ? undefined
    : `"split" expected an integer from 1 to ${MAX_SPLIT}, got ${split}`;

/**
 * What the kernels choose where nothing else is measured. Invocations may share a key: four read 64
 * bytes of f32 at a time, one alone 16 bytes of a row that its neighbours do not touch. Whether that
 * gains anything only a measurement can say (`llamagen tune`); none was made on a GPU yet.
 */
export function ownAttentionTile(
  { headDim }: Pick<AttentionShape, 'headDim'>,
  { reduce }: Variant,
): AttentionTile {
  // Rows x heads are few, and a software adapter runs one workgroup per thread.
  if (reduce === 'serial') return { size: 4, span: 1 };
  return { size: Math.max(64, 2 ** Math.ceil(Math.log2(headDim / 4))), span: 1 };
}

/** Tiles worth measuring for attention on a device. */
export function attentionTiles({ reduce }: Variant): readonly AttentionTile[] {
  const serial = reduce === 'serial';
  const sizes = serial ? [4, 16] : [64, 128, 256];
  const spans = serial ? [1] : [1, 4, 16];
  return sizes.flatMap((size) => spans.map((span) => ({ size, span })));
}

/** Positions of a cache, cut: part s covers positions s * columns .. of every row. */
export interface Cut {
  readonly parts: number;
  /** Positions of a part; the last part may have fewer. */
  readonly columns: number;
}

/** At most `split` parts of the same size; fewer where they would hold nothing. */
export function cutPositions(positions: number, split: number): Cut {
  const columns = ceilDiv(positions, split);
  return { parts: ceilDiv(positions, columns), columns };
}

/** Groups of invocations that share the sum over values, each for all groups of four of a head. */
export const stripsOf = (size: number, quads: number): number => Math.floor(size / quads);

/** The span of a tile, or less where the scores of `columns` positions leave no room for it. */
export function spanThatFits(
  { size, span }: AttentionTile,
  quads: number,
  columns: number,
): number {
  let fitting = span;
  while (fitting > 1 && bytesOf(size, fitting, quads, columns) > MAX_WORKGROUP_BYTES) fitting /= 2;
  return fitting;
}

/** Workgroup memory: scores, the query and the strips, and what reductions need. */
const bytesOf = (size: number, span: number, quads: number, columns: number): number =>
  columns * span * 4 + (stripsOf(size, quads) + 1) * quads * 16 + size * 8;
