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
}

const each = (keys: readonly string[], tile: Tile): Tiles =>
  Object.fromEntries(keys.map((key) => [key, tile]));

/** Attention of the official models with heads of 64. */
const attentionKeys = (cache: string): readonly string[] =>
  [12, 16, 20, 24].map((heads) => `attention ${cache}[${heads}/${heads},64,577]`);

/**
 * NVIDIA's Hopper: one H200, driver 580.159.04. Attention with heads of 64, an f16 cache, position 288 of
 * 24x24 tokens: 4.8 us for 2 rows of 12 heads and 7.2 for 16, where workgroups of 256 with nothing ahead
 * took 6.6 and 8.4.
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
};

/** The tiles that are known for an adapter under a variant; none for most. */
export function knownTiles(adapter: AdapterNames, { reduce, lanes }: Variant): Tiles {
  const known = [HOPPER].find(({ is }) => is(adapter));
  return known && reduce === 'subgroup' && lanes === known.lanes ? known.tiles : {};
}
