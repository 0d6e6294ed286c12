/** Files as answers in the Cache API, for browsers that keep no files of their own. */
import { heldBlob, namesWithin, type Place } from './place.ts';

/** Addresses of entries: nothing answers there, so nothing else can be meant. */
const BASE = 'https://llamagen-webgpu.invalid/';

/**
 * Its calls throw what the browser throws where it keeps nothing.
 * @param name Of the cache.
 */
export function cachePlace(name: string): Place {
  // Opened anew each time: what is put into one that the browser removed is lost.
  const open = (): Promise<Cache> => caches.open(name);
  const paths = async (): Promise<string[]> =>
    (await (await open()).keys()).map(({ url }) => url.slice(BASE.length));
  return {
    kind: 'cache',
    async get(path) {
      const answer = await (await open()).match(BASE + path);
      return answer && heldBlob(await answer.blob());
    },
    async put(path, parts) {
      await (await open()).put(BASE + path, new Response(new Blob([...parts])));
    },
    names: async (folder) => namesWithin(folder, await paths()),
    async remove(folder) {
      const cache = await open();
      for (const path of await paths()) {
        if (path.startsWith(`${folder}/`)) await cache.delete(BASE + path);
      }
    },
  };
}
