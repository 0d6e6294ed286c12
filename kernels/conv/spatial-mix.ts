import type { Binding, Kernel, Variant } from '../kernel.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { mapProduct } from '../product/map-product.ts';
import type { MapTile } from '../product/map-tile.ts';

export interface SpatialMixParams {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice, of kernels with barriers. */
  readonly tile?: Partial<MapTile> | undefined;
}

export type SpatialMixBindings = {
  readonly v: Binding<'in'>;
  readonly probs: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * Every pixel as a mixture of all pixels: out[n, c, i] = sum_j v[n, c, j] * probs[n * P + i, j], with
 * P = height * width pixels.
 *
 * Shapes: v and out [images, channels, height, width], probs [images * P, P]. Sums in f32.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, AttnBlock.
 */
export function spatialMix(params: SpatialMixParams): Kernel<SpatialMixBindings> {
  const identity = assertParams('spatial_mix', params, {
    ...MAP_RULES,
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { images, channels, height, width, variant, tile } = params;
  const pixels = height * width;
  const shape = [images, channels, height, width];
  const dispatch = mapProduct(
    {
      name: identity.name,
      label: `spatial_mix f32[${shape}]`,
      ...{ batch: images, m: channels, n: pixels, k: pixels },
      left: { name: 'v', line: pixels, k: 1, batch: channels * pixels },
      right: { name: 'probs', line: pixels, k: 1, batch: pixels * pixels },
      variant,
      tile,
    },
    {
      v: { role: 'in', dtype: 'f32', shape },
      probs: { role: 'in', dtype: 'f32', shape: [images * pixels, pixels] },
      out: { role: 'out', dtype: 'f32', shape },
    },
  );
  return { ...identity, ...dispatch };
}
