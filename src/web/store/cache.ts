/** Files as answers in the Cache API, for browsers that keep no files of their own. */
import { heldBlob, namesWithin, type Place } from './place.ts';

/** Addresses of entries: nothing answers there, so nothing else can be meant. */
const BASE = 'https://llamagen-webgpu.invalid/';

/**
 * @param name Of the cache.
 * @throws what the browser throws where it keeps nothing.
 */
export async function cachePlace(name: string): Promise<Place> {
  const cache = await caches.open(name);
  const paths = async (): Promise<string[]> =>
    (await cache.keys()).map(({ url }) => url.slice(BASE.length));
  return {
    kind: 'cache',
    async get(path) {
      const answer = await cache.match(BASE + path);
      return answer && heldBlob(await answer.blob());
    },
    async put(path, parts) {
      await cache.put(BASE + path, new Response(new Blob([...parts])));
    },
    names: async (folder) => namesWithin(folder, await paths()),
    async remove(folder) {
      for (const path of await paths()) {
        if (path.startsWith(`${folder}/`)) await cache.delete(BASE + path);
      }
    },
  };
}
