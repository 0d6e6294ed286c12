import type { Binding, Kernel, Variant } from '../kernel.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { mapProduct } from '../product/map-product.ts';
import type { MapTile } from '../product/map-tile.ts';

export interface SpatialScoresParams {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice, of kernels with barriers. */
  readonly tile?: Partial<MapTile> | undefined;
}

export type SpatialScoresBindings = {
  readonly q: Binding<'in'>;
  readonly k: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * Scores of every pixel against every pixel: out[n * P + i, j] = sum_c q[n, c, i] * k[n, c, j] / sqrt(C),
 * with P = height * width pixels and C channels.
 *
 * Shapes: q and k [images, channels, height, width], out [images * P, P]. Sums in f32.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, AttnBlock.
 */
export function spatialScores(params: SpatialScoresParams): Kernel<SpatialScoresBindings> {
  const identity = assertParams('spatial_scores', params, {
    ...MAP_RULES,
    variant: rule.optional(rule.variant),
    tile: rule.optional(rule.tile),
  });
  const { images, channels, height, width, variant, tile } = params;
  const pixels = height * width;
  const shape = [images, channels, height, width];
  const operand = { line: 1, k: pixels, batch: channels * pixels };
  const dispatch = mapProduct(
    {
      name: identity.name,
      label: `spatial_scores f32[${shape}]`,
      ...{ batch: images, m: pixels, n: pixels, k: channels },
      left: { name: 'q', ...operand },
      right: { name: 'k', ...operand },
      scale: 1 / Math.sqrt(channels),
      variant,
      tile,
    },
    {
      q: { role: 'in', dtype: 'f32', shape },
      k: { role: 'in', dtype: 'f32', shape },
      out: { role: 'out', dtype: 'f32', shape: [images * pixels, pixels] },
    },
  );
  return { ...identity, ...dispatch };
}
