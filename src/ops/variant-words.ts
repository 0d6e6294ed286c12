/** Variants as text: what the variable LLAMAGEN_VARIANT holds. */

import { ATTENTION_SETTINGS } from '../../kernels/attention/attention-tile.ts';
import type { Reduce, Variant } from '../../kernels/kernel.ts';
import { MAP_SETTINGS } from '../../kernels/product/map-tile.ts';
import { PRODUCT_SETTINGS } from '../../kernels/product/product-tile.ts';
import { OptionError } from '../errors.ts';
import { CONV_SETTINGS } from './conv-tile.ts';
import type { Tile, Tiles } from './tiles.ts';

const REDUCES: readonly Reduce[] = ['serial', 'workgroup', 'subgroup'];

/** Families of operations that have tiles, with the settings of each. */
const TILE_SETTINGS: Readonly<Record<string, readonly string[]>> = {
  product: [...PRODUCT_SETTINGS, 'split'],
  attention: ATTENTION_SETTINGS,
  conv: CONV_SETTINGS,
  map: MAP_SETTINGS,
};

/** What is forced. */
export interface Forced {
  readonly variant: Partial<Variant>;
  readonly tiles: Tiles;
}

/**
 * Reads words with commas between: `serial`, `workgroup` or `subgroup` (how sums are shared),
 * `packed` (no native halves), and `family.setting=value` (a tile, for all shapes).
 * @throws OptionError that lists what is known.
 */
export function parseVariant(text: string): Forced {
  const tiles: Record<string, Tile> = {};
  let variant: Partial<Variant> = {};
  for (const word of text.split(',').map((w) => w.trim())) {
    const [, family = '', setting = '', value = ''] = /^(\w+)\.(\w+)=(\w+)$/.exec(word) ?? [];
    const reduce = REDUCES.find((r) => r === word);
    if (reduce) variant = { ...variant, reduce };
    else if (word === 'packed') variant = { ...variant, f16: false };
    else if (TILE_SETTINGS[family]?.includes(setting)) {
      tiles[family] = { ...tiles[family], [setting]: settingOf(value) };
    } else throw new OptionError(`LLAMAGEN_VARIANT: "${word}" expected one of ${known()}`);
  }
  return { variant, tiles };
}

const settingOf = (text: string): Tile[string] => {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) ? Number(text) : text;
};

function known(): string {
  const tiles = Object.entries(TILE_SETTINGS).flatMap(([family, settings]) =>
    settings.map((setting) => `${family}.${setting}=...`),
  );
  return [...REDUCES, 'packed', ...tiles].join(', ');
}
