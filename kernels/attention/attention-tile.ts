/** How attention over the KV cache divides its work. */
import {
  assert,
  ceilDiv,
  MAX_WORKGROUP_BYTES,
  type Tile,
  tileOf,
  type Variant,
} from '../kernel.ts';
import type { KvShape } from './kv-cache.ts';

/** Nothing here depends on the number of rows: each of these settings changes the order of sums. */
export type AttentionTile = {
  /** Parts, at most, that the positions of a row are cut into; 1 is one dispatch without a merge. */
  readonly split: number;
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

/** Words of the variable LLAMAGEN_VARIANT: `attention.split=4`. */
export const ATTENTION_SETTINGS: readonly string[] = ['split', 'size', 'span'];

/** Parts of 17 positions where an image has 32x32 tokens. */
const MAX_SPLIT = 64;

/** What a variant holds the tile of one shape by; the number of rows is no part of it. */
const key = ({ nHead, nKvHead, headDim, positions, kvDtype = 'f32' }: AttentionShape): string =>
  `${kvDtype}[${nHead}/${nKvHead},${headDim},${positions}]`;

/**
 * The tile of attention under a variant.
 * @throws RangeError when the variant holds one that cannot be.
 */
export function attentionTile(shape: AttentionShape, variant: Variant): AttentionTile {
  const quads = shape.headDim / 4;
  const tile = tileOf(variant, 'attention', key(shape), ownTile(quads, variant));
  const { split, size, span } = tile;
  assertSplit('attention', split);
  const isPower = (n: number): boolean => Number.isInteger(n) && n > 0 && (n & (n - 1)) === 0;
  assert(
    isPower(size) && size <= 256 && isPower(span) && span <= size,
    `attention: size ${size} and span ${span} expected powers of two, at most 256, the span within the size`,
  );
  if (variant.reduce === 'serial') {
    assert(span === 1, `attention: a serial kernel shares no key, got span ${span}`);
  } else {
    assert(size >= quads, `attention: heads of ${shape.headDim} need size ${quads}, got ${size}`);
  }
  return tile;
}

/** Throws a RangeError unless positions can be cut into so many parts. */
export function assertSplit(kernel: string, split: number): void {
  assert(
    Number.isInteger(split) && split > 0 && split <= MAX_SPLIT,
    `${kernel}: "split" expected an integer from 1 to ${MAX_SPLIT}, got ${split}`,
  );
}

/**
 * One part everywhere. Parts are meant for one guided image of a small model on a large GPU, which has
 * more cores than there are workgroups (2 rows x 12 heads); they cost every batch a dispatch in each
 * layer, also the 192 workgroups of eight images. The number of rows must not choose, so only a
 * measurement on the adapter can (`llamagen tune`); none was made on a GPU yet. The same holds for
 * invocations that share a key: four read 64 bytes of f32 at a time, one alone 16 bytes of a row that
 * its neighbours do not touch.
 */
function ownTile(quads: number, { reduce }: Variant): AttentionTile {
  // Rows x heads are few, and a software adapter runs one workgroup per thread.
  if (reduce === 'serial') return { split: 1, size: 4, span: 1 };
  return { split: 1, size: Math.max(64, 2 ** Math.ceil(Math.log2(quads))), span: 1 };
}

/** Tiles worth measuring for attention on a device. */
export function attentionTiles({ reduce }: Variant): readonly Tile[] {
  const serial = reduce === 'serial';
  const splits = serial ? [1, 2, 4] : [1, 2, 4, 8];
  const sizes = serial ? [4, 16] : [64, 128, 256];
  const spans = serial ? [1] : [1, 4, 16];
  return splits.flatMap((split) =>
    sizes.flatMap((size) => spans.map((span) => ({ split, size, span }))),
  );
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
export const stripsOf = ({ size }: AttentionTile, quads: number): number =>
  Math.floor(size / quads);

/**
 * The span of a tile, or less where the scores of `columns` positions leave no room for it.
 * @throws RangeError when not even whole dot products fit.
 */
export function spanThatFits(
  kernel: string,
  tile: AttentionTile,
  quads: number,
  columns: number,
): number {
  const fixed = (stripsOf(tile, quads) + 1) * quads * 16 + tile.size * 8;
  const bytes = (span: number): number => columns * span * 4 + fixed;
  let span = tile.span;
  while (span > 1 && bytes(span) > MAX_WORKGROUP_BYTES) span /= 2;
  assert(
    bytes(span) <= MAX_WORKGROUP_BYTES,
    `${kernel}: ${columns} positions need ${bytes(span)} bytes of workgroup memory, at most ${MAX_WORKGROUP_BYTES} are there`,
  );
  return span;
}
