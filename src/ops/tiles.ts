/** Tiles of operations as plain data: what was measured or forced, by family and shape. */

/** How an operation divides its work: changes speed and the order of sums, never what is computed. */
export type Tile = Readonly<Record<string, number | string | boolean>>;

/**
 * Tiles by `family shape` (measured by the tuner for one shape, such as `product f16[2304,768]`), or
 * by `family` (forced for all shapes, and stronger). The shape never holds the number of rows of a
 * product: what decides the order of a sum must not depend on it.
 */
export type Tiles = Readonly<Record<string, Tile>>;

/** What a table says of a key `family shape`; the rest is the own choice. */
export function tileOf(tiles: Tiles | undefined, key: string): Tile {
  const [own, forced] = [tiles?.[key], tiles?.[familyOf(key)]];
  // Where another `math` is forced, what was measured says nothing: its settings mean something else.
  const isOther = forced?.math !== undefined && forced.math !== (own?.math ?? 'f32');
  return { ...(isOther ? undefined : own), ...forced };
}

/** The part of a key before the shape. */
export const familyOf = (key: string): string => key.slice(0, key.indexOf(' '));

/** Tiles that are forced for whole families; those that were measured are left out. */
export const forcedOf = (tiles: Tiles = {}): Tiles =>
  Object.fromEntries(Object.entries(tiles).filter(([key]) => !key.includes(' ')));

/**
 * Whether an entry of a table says that products round what they multiply to halves. Products of few rows
 * do not: their matrices take an input as two halves, and weights that halves hold.
 */
export const roundsToHalves = ([key, { math }]: readonly [key: string, tile: Tile]): boolean =>
  /^(conv|map)( |$)/.test(key) && (math === 'f16' || math === 'matrix');
