/** Attention over the pixels of feature maps, as products of maps. */
import { type SpatialMixParams, spatialMix } from '../../kernels/conv/spatial-mix.ts';
import { type SpatialScoresParams, spatialScores } from '../../kernels/conv/spatial-scores.ts';
import type { Variant } from '../../kernels/kernel.ts';
import {
  type MapTile,
  mapProblem,
  mapTile,
  mapTiles,
  ownMapTile,
} from '../../kernels/product/map-tile.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Operation } from './operation.ts';

/** Tiles and limits of products of maps, m x k by k x n. */
const mapFamily = <P extends { readonly variant: Variant }>(
  sizes: (params: P) => readonly [m: number, k: number, n: number],
): Omit<Operation<P, never, MapTile>, 'call'> => ({
  key: (params) => `map [${sizes(params)}]`,
  tiles: mapTiles,
  problem: ({ variant }, tile) => mapProblem(mapTile(ownMapTile(variant), tile), variant),
});

type Scores = Omit<SpatialScoresParams, 'tile'> & { readonly variant: Variant };
type Mix = Omit<SpatialMixParams, 'tile'> & { readonly variant: Variant };

/** Scores of every pixel against every pixel. */
export const pixelScores: Operation<Scores, { readonly q: Tensor; readonly k: Tensor }, MapTile> = {
  ...mapFamily(({ channels, height, width }) => [height * width, channels, height * width]),
  call: (g, params, inputs, tile) => g.call(spatialScores({ ...params, tile }), inputs).out,
};

/** Every pixel as a mixture of all pixels. */
export const pixelMix: Operation<Mix, { readonly v: Tensor; readonly probs: Tensor }, MapTile> = {
  ...mapFamily(({ channels, height, width }) => [channels, height * width, height * width]),
  call: (g, params, inputs, tile) => g.call(spatialMix({ ...params, tile }), inputs).out,
};
