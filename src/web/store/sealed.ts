/** Small files that carry a digest of their content, so that torn and damaged ones are known. */
import type { Bytes, Held, Place } from './place.ts';

/** Bytes of a SHA-256. */
export const SEAL_BYTES = 32;

const seal = async (bytes: Bytes): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

/** Writes bytes, and their SHA-256 behind them. @throws as `put` of the place. */
export async function putSealed(place: Place, path: string, bytes: Bytes): Promise<void> {
  await place.put(path, [bytes, await seal(bytes)]);
}

/** The bytes that were sealed; undefined where there are none, or others. */
export async function getSealed(place: Place, path: string): Promise<Bytes | undefined> {
  const held = await place.get(path);
  return held && readSealed(held);
}

/** All of a sealed file; undefined where it is damaged. */
export async function readSealed(held: Held): Promise<Bytes | undefined> {
  const all = await held.read(0, held.byteLength);
  const length = all.byteLength - SEAL_BYTES;
  if (length < 0) return undefined;
  const bytes = all.subarray(0, length);
  const expected = await seal(bytes);
  return expected.every((byte, i) => byte === all[length + i]) ? bytes : undefined;
}
