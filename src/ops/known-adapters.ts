/**
 * Tiles for adapters that were measured when this version was made, as `llamagen tune` would keep them:
 * by operation and shape, weaker than what a user has measured or forced.
 */
import type { Variant } from '../../kernels/kernel.ts';
import type { Tile, Tiles } from './tiles.ts';

/** What an adapter says of itself. */
export type AdapterNames = Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device'>;

interface Known {
  readonly is: (adapter: AdapterNames) => boolean;
  /** Invocations of a subgroup. */
  readonly lanes: number;
  readonly tiles: Tiles;
  /** Those for matrices of 16x16x16 halves, and the workgroup memory that they need, in bytes. */
  readonly byMatrices: Tiles;
  readonly workgroupBytes: number;
}

const each = (keys: readonly string[], tile: Tile): Tiles =>
  Object.fromEntries(keys.map((key) => [key, tile]));

/** Attention of the official models with heads of 64. */
const attentionKeys = (cache: string): readonly string[] =>
  [12, 16, 20, 24].map((heads) => `attention ${cache}[${heads}/${heads},64,577]`);

/** A product of few rows by matrices. */
const matrices = (columns: number, parts: number): Tile => ({ math: 'matrix', columns, parts });

/**
 * NVIDIA's Hopper: one H200, driver 580.159.04. Attention with heads of 64, an f16 cache, position 288 of
 * 24x24 tokens: 4.8 us for 2 rows of 12 heads and 7.2 for 16, where workgroups of 256 with nothing ahead
 * took 6.6 and 8.4.
 *
 * Products of 16 rows with f16 weights, in us, in registers and by matrices: of GPT-XL qkv 18.9 and 10.1, swiglu
 * 44.2 and 14.6, output 59.2 and 28.4; of GPT-B 8.8 and 6.8, 9.8 and 7.6, 35.4 and 18.3; the output of GPT-3B
 * 215 and 63. Those of 2 rows take longer by matrices (GPT-XL: 8.2 and 9.6, 9.3 and 13.9), and what gains less
 * for 16 than it loses for 2 stays in registers. GPT-L, between B and XL, was not measured.
 */
const HOPPER: Known = {
  // Dawn knows no architecture of it; Node's binding and Chrome's developer features name the device.
  is: ({ vendor, architecture, device }) =>
    vendor === 'nvidia' && (architecture === 'hopper' || /\b(h100|h200|gh200)\b/i.test(device)),
  lanes: 32,
  tiles: {
    ...each(attentionKeys('f16'), { size: 128, span: 8, keys: 4, ahead: 2 }),
    ...each(attentionKeys('f32'), { size: 256, span: 16 }),
  },
  byMatrices: {
    ...each(['product f16[2304,768]', 'product f16[3072,1024]'], matrices(32, 8)),
    ...each(['product f16[3840,1280]'], matrices(32, 8)),
    ...each(['product 2 x f16[2048,768]', 'product 2 x f16[2816,1024]'], matrices(16, 8)),
    ...each(['product 2 x f16[3584,1280]'], matrices(16, 4)),
    ...each(
      [768, 1024, 1280, 1536, 3200].map((dim) => `product f16[16384,${dim}]`),
      matrices(32, 4),
    ),
  },
  workgroupBytes: 49152,
};

/** The tiles that are known for an adapter under a variant; none for most. */
export function knownTiles(adapter: AdapterNames, variant: Variant): Tiles {
  const { reduce, f16, lanes, matrix, workgroupBytes = 0 } = variant;
  const known = [HOPPER].find(({ is }) => is(adapter));
  if (!known || reduce !== 'subgroup' || lanes !== known.lanes) return {};
  const is16 = matrix?.operand === 'f16' && [matrix.m, matrix.n, matrix.k].every((s) => s === 16);
  const hasMatrices = is16 && f16 && workgroupBytes >= known.workgroupBytes;
  return hasMatrices ? { ...known.tiles, ...known.byMatrices } : known.tiles;
}
