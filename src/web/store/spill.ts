/** A place that goes on in memory when the browser has no more room. */
import { memoryPlace } from './memory.ts';
import { gone, isQuotaError, type Place } from './place.ts';
import { putSealed, readSealed } from './sealed.ts';

export interface SpillingPlace extends Place {
  /** Whether the model is in memory for want of room. */
  readonly isSpilled: boolean;
  /** Keeps the model in memory from now on, and frees the room that it took. */
  spill(): Promise<void>;
  /** Keeps it where there is room again, if there is: else it stays in memory. */
  settle(): Promise<void>;
}

/**
 * @param folder Of the model that is written. When there is no room for all of it nothing of it stays: what
 * else this origin keeps, such as pictures, would have none either.
 * @param onFull Called when memory takes over.
 */
export function spillingPlace(
  place: Place,
  folder: string,
  onFull: () => Promise<void>,
): SpillingPlace {
  let now = place;
  const spill = async (): Promise<void> => {
    if (now.kind === 'memory') return;
    await onFull();
    const memory = memoryPlace();
    await copy(place, memory, folder);
    now = memory;
    await place.remove(folder);
  };
  return {
    kind: place.kind,
    get isSpilled() {
      return now !== place;
    },
    spill,
    async settle() {
      if (now === place) return;
      // Another tab may have kept it meanwhile.
      const isKept = (await place.names(folder)).length > 0;
      try {
        if (!isKept) await copy(now, place, folder);
      } catch {
        return place.remove(folder);
      }
      now = place;
    },
    get: (path) => now.get(path),
    async put(path, parts) {
      try {
        await now.put(path, parts);
      } catch (error) {
        if (now.kind === 'memory' || !isQuotaError(error)) throw error;
        await spill();
        await now.put(path, parts);
      }
    },
    names: (within) => now.names(within),
    remove: (within) => now.remove(within),
  };
}

/** Copies what is whole of the sealed files in a folder. */
async function copy(from: Place, to: Place, folder: string): Promise<void> {
  for (const name of await from.names(folder)) {
    const path = `${folder}/${name}`;
    const held = await from.get(path).catch(gone);
    const bytes = held && (await readSealed(held).catch(gone));
    if (bytes) await putSealed(to, path, bytes);
    else if (!held) await copy(from, to, path);
  }
}
