/** A place that goes on in memory when the browser has no more room. */
import { memoryPlace } from './memory.ts';
import { isQuotaError, type Place } from './place.ts';
import { putSealed, readSealed } from './sealed.ts';

export interface SpillingPlace extends Place {
  /** Whether what is written goes to memory. */
  readonly isFull: boolean;
  /** Keeps the model in memory from now on, and frees the room that it took. */
  spill(): Promise<void>;
}

/**
 * @param folder Of the model that is written. When there is no room for all of it nothing of it stays: what
 * else this origin keeps, such as pictures, would have none either.
 * @param onFull Called once, when memory takes over.
 */
export function spillingPlace(
  place: Place,
  folder: string,
  onFull: () => Promise<void>,
): SpillingPlace {
  const memory = memoryPlace();
  let isFull = place.kind === 'memory';
  const move = async (within: string): Promise<void> => {
    for (const name of await place.names(within)) {
      const path = `${within}/${name}`;
      const held = await place.get(path).catch(() => undefined);
      const bytes = held && (await readSealed(held));
      if (!held) await move(path);
      else if (bytes) await putSealed(memory, path, bytes);
    }
  };
  const spill = async (): Promise<void> => {
    if (isFull) return;
    isFull = true;
    await onFull();
    await move(folder);
    await place.remove(folder);
  };
  return {
    kind: place.kind,
    get isFull() {
      return isFull;
    },
    spill,
    async get(path) {
      return (await memory.get(path)) ?? place.get(path);
    },
    async put(path, parts) {
      if (isFull) return (place.kind === 'memory' ? place : memory).put(path, parts);
      try {
        await place.put(path, parts);
      } catch (error) {
        if (!isQuotaError(error)) throw error;
        await spill();
        await memory.put(path, parts);
      }
    },
    async names(within) {
      const both = [...(await memory.names(within)), ...(await place.names(within))];
      return [...new Set(both)];
    },
    async remove(within) {
      await memory.remove(within);
      await place.remove(within);
    },
  };
}
