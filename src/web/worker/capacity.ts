/** How many images a page draws side by side. */
import type { GptConfig } from '../../models/gpt-config.ts';

/** Most slots: four guided images side by side keep a GPU busy, and show themselves soon. */
const MOST_SLOTS = 8;
/** Most bytes of their caches: a page does not know what else the device has to hold. */
const CACHE_BYTES = 2 ** 29;

type CacheShape = Pick<GptConfig, 'nLayer' | 'nKvHead' | 'headDim' | 'clsTokenNum' | 'blockSize'>;

/** KV slots whose f32 caches fit; two at least, as an image with guidance takes them. */
export function capacityFor(config: CacheShape): number {
  const { nLayer, nKvHead, headDim, clsTokenNum, blockSize } = config;
  const slotBytes = 4 * 2 * nLayer * nKvHead * headDim * (clsTokenNum + blockSize);
  return Math.max(2, Math.min(MOST_SLOTS, Math.floor(CACHE_BYTES / slotBytes)));
}
