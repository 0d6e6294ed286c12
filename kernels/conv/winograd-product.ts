import type { Binding, Kernel, Variant } from '../kernel.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { mapProduct } from '../product/map-product.ts';
import type { MapTile } from '../product/map-tile.ts';
import { WINOGRAD_PRODUCTS } from './winograd.ts';

export interface WinogradProductParams {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly tiles: number;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice, of kernels with barriers. */
  readonly tile?: Partial<MapTile> | undefined;
}

export type WinogradProductBindings = {
  readonly weight: Binding<'in'>;
  readonly x: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * The products of Winograd's method: out[i, o, t] = sum_c weight[i, c, o] * x[i, c, t].
 *
 * Shapes: weight [36, inChannels, outChannels] of `winogradFilter`, x [36, inChannels, tiles] of
 * `winogradInput`, out [36, outChannels, tiles]. Sums in f32.
 */
export function winogradProduct(params: WinogradProductParams): Kernel<WinogradProductBindings> {
  const identity = assertParams('winograd_product', params, {
    inChannels: rule.size,
    outChannels: rule.size,
    tiles: rule.size,
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { inChannels, outChannels, tiles, variant, tile } = params;
  const batch = WINOGRAD_PRODUCTS;
  const operand = (name: string, line: number) => ({
    ...{ name, line: 1, k: line, batch: line * inChannels },
  });
  const dispatch = mapProduct(
    {
      name: identity.name,
      label: `winograd_product f32[${outChannels},${inChannels}] x ${tiles}`,
      ...{ batch, m: outChannels, n: tiles, k: inChannels },
      left: operand('weight', outChannels),
      right: operand('x', tiles),
      variant,
      tile,
    },
    {
      weight: { role: 'in', dtype: 'f32', shape: [batch, inChannels, outChannels] },
      x: { role: 'in', dtype: 'f32', shape: [batch, inChannels, tiles] },
      out: { role: 'out', dtype: 'f32', shape: [batch, outChannels, tiles] },
    },
  );
  return { ...identity, ...dispatch };
}
