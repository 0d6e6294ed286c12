/** How attention over the KV cache divides its work. */
import { assert, ceilDiv, MAX_WORKGROUP_BYTES, type Variant } from '../kernel.ts';
import { assertTile } from '../lib/params.ts';
import { loadWidth, type Width } from '../lib/weights.ts';
import { mergedParts } from './attention-merge.ts';
import type { KvShape } from './kv-cache.ts';

/** Nothing here depends on the number of rows: each of these settings changes the order of sums. */
export type AttentionTile = {
  /** Invocations of a workgroup; a power of two. */
  readonly size: number;
  /** Neighbouring invocations that hold a key together; a power of two, within a subgroup. */
  readonly span: number;
  /** Keys that each span takes at once: 1, 2 or 4. */
  readonly keys: number;
  /** Times `keys` whose reads are under way while some are added: 0 to 7, under `serial` 0. */
  readonly ahead: number;
};

export interface AttentionShape extends KvShape {
  readonly nHead: number;
}

/** Settings of a tile, by name. */
export const ATTENTION_SETTINGS: readonly (keyof AttentionTile)[] = [
  'size',
  'span',
  'keys',
  'ahead',
];

/** Loads of 16 bytes, of keys alone, that an invocation has under way at once. */
const MOST_LOADS = 8;

/** Most turns whose reads are under way while one is added. */
const MOST_AHEAD = 7;

/** The heads as they lie in the cache. */
type Heads = Pick<KvShape, 'headDim' | 'kvDtype' | 'positions'>;

/** Invocations of a workgroup, of our own choice: a subgroup of most adapters, to the most that every device has. */
const LEAST_SIZE = 32;
const SIZES = [LEAST_SIZE, 64, 128, 256];

/** Values of a head that are read at once: 16 bytes, 8 where a head of halves is no multiple of that. */
export const headWidth = ({ headDim, kvDtype = 'f32' }: Heads): Width =>
  loadWidth(kvDtype, headDim);

/** Loads of each invocation of a span for one key. */
export const loadsOf = (heads: Heads, span: number): number =>
  ceilDiv(heads.headDim / headWidth(heads), span);

/**
 * The tile of attention: the own choice for its shape and variant, but for what `tile` says.
 * @throws RangeError when it cannot be.
 */
export function attentionTile(
  kernel: string,
  heads: Heads,
  variant: Variant,
  tile?: Partial<AttentionTile>,
): AttentionTile {
  assertTile(kernel, tile, ATTENTION_SETTINGS);
  const whole = wholeAttentionTile(heads, variant, tile);
  const problem = attentionProblem(whole, heads, variant);
  assert(problem === undefined, `${kernel}: ${problem}`);
  return whole;
}

/** Why attention cannot be made with a tile, or undefined where it can. */
export function attentionProblem(
  tile: AttentionTile,
  heads: Heads,
  variant: Variant,
): string | undefined {
  const { size, span, keys, ahead } = tile;
  const { invocations = 256 } = variant;
  const isPower = (n: number): boolean => Number.isInteger(n) && n > 0 && (n & (n - 1)) === 0;
  if (!isPower(size) || size > invocations || !isPower(span) || span > size) {
    return `size ${size} and span ${span} expected powers of two, at most ${invocations}, the span within the size`;
  }
  if (![1, 2, 4].includes(keys)) return `keys expected 1, 2 or 4, got ${keys}`;
  const mostAhead = variant.reduce === 'serial' ? 0 : MOST_AHEAD;
  if (!Number.isInteger(ahead) || ahead < 0 || ahead > mostAhead) {
    return `${variant.reduce}: ahead expected 0 to ${mostAhead}, got ${ahead}`;
  }
  const most = mostSpan(variant);
  if (span > most) return `${variant.reduce} shares a key among ${most} at most, got span ${span}`;
  const bytes = bytesOf(tile, heads, variant);
  return bytes > MAX_WORKGROUP_BYTES
    ? `size ${size}, span ${span} and keys ${keys} need ${bytes} bytes of workgroup memory for heads of ${heads.headDim}, at most ${MAX_WORKGROUP_BYTES} are there`
    : undefined;
}

/** Invocations that may hold a key together. */
function mostSpan({ reduce, lanes = 1 }: Variant): number {
  if (reduce === 'serial') return 1;
  return reduce === 'subgroup' ? lanes : 256;
}

/**
 * A tile with what the kernels choose for the settings that are left out. Spans read a key in one or two
 * loads of 16 bytes: 8 invocations for a head of 64 halves, 16 for one of 64 floats. With 256
 * invocations, each of which takes 4 keys at once, 32 KB are under way in a workgroup; a cache that fewer
 * hold at once has fewer. On an H200 this took 7.1 us for 2 rows of 12 heads of 64 halves at position 288
 * and 9.2 for 16 rows, where one invocation for each key and scores in workgroup memory took 17.9 and 20.7.
 */
export function wholeAttentionTile(
  heads: Heads,
  variant: Variant,
  tile: Partial<AttentionTile> = {},
): AttentionTile {
  // Rows x heads are few, and a software adapter runs one workgroup per thread.
  if (variant.reduce === 'serial') return { size: 4, span: 1, keys: 1, ahead: 0, ...tile };
  const own = powerWithin(Math.min(16, mostSpan(variant), loadsOf(heads, 1)));
  const { span = own } = tile;
  const { keys = powerWithin(Math.min(4, MOST_LOADS / loadsOf(heads, span))) } = tile;
  const { invocations = 256 } = variant;
  const fitting = SIZES.filter(
    (size) =>
      size <= invocations && bytesOf({ size, span, keys }, heads, variant) <= MAX_WORKGROUP_BYTES,
  );
  const holdsAll = (size: number): boolean => (size / span) * keys >= heads.positions;
  return {
    size: fitting.find(holdsAll) ?? fitting.at(-1) ?? LEAST_SIZE,
    span,
    keys,
    ahead: 0,
    ...tile,
  };
}

/** Tiles worth measuring for attention on a device. */
export function attentionTiles({ reduce, invocations = 256 }: Variant): readonly AttentionTile[] {
  // One invocation for each row and head, on a software adapter: several keys at once are no faster.
  if (reduce === 'serial') {
    return [4, 16].map((size) => ({ size, span: 1, keys: 1, ahead: 0 }));
  }
  const sizes = [64, 128, 256, 512].filter((size) => size <= invocations);
  const taken = [
    { keys: 2, ahead: 0 },
    { keys: 4, ahead: 0 },
    { keys: 2, ahead: 4 },
  ];
  return sizes.flatMap((size) =>
    [4, 8, 16].flatMap((span) => taken.map((each) => ({ size, span, ...each }))),
  );
}

/** The largest power of two that is not above a number; 1 for smaller ones. */
const powerWithin = (n: number): number => 2 ** Math.floor(Math.log2(Math.max(1, n)));

/** Neighbouring invocations that exchange what they have without workgroup memory. */
export const exchangingLanes = ({ reduce, lanes = 1 }: Variant): number =>
  reduce === 'subgroup' ? lanes : 1;

/** Workgroup memory: what each part has summed, its highest score and weight; shares of scores. */
function bytesOf(
  { size, span, keys }: Pick<AttentionTile, 'size' | 'span' | 'keys'>,
  heads: Heads,
  variant: Variant,
): number {
  if (variant.reduce === 'serial') return 0;
  const summed = span * loadsOf(heads, span) * headWidth(heads) * 4;
  const shares = variant.reduce === 'workgroup' ? size * keys * 4 : 0;
  return mergedParts({ size, span, lanes: exchangingLanes(variant) }) * (summed + 8) + shares;
}
