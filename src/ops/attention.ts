/** What attention over a KV cache has, whatever makes it: the key, the tiles and their limits. */
import {
  type AttentionShape,
  type AttentionTile,
  attentionProblem,
  attentionTiles,
  cutPositions,
  ownAttentionTile,
  splitProblem,
} from '../../kernels/attention/attention-tile.ts';
import type { Variant } from '../../kernels/kernel.ts';
import type { Operation } from './operation.ts';

export interface AttentionOpTile extends AttentionTile {
  /**
   * Parts, at most, that the positions of a row are cut into; 1 is one dispatch without a merge, and the
   * choice where nothing else was measured. Parts are meant for one guided image of a small model on a
   * large GPU, which has more cores than there are workgroups (2 rows x 12 heads); they cost every
   * batch a dispatch in each layer, also the 192 workgroups of eight images, and the number of rows must
   * not choose.
   */
  readonly split: number;
}

type Params = AttentionShape & { readonly variant: Variant };

export const attentionFamily: Omit<Operation<Params, never, AttentionOpTile>, 'call'> = {
  key({ nHead, nKvHead, headDim, positions, kvDtype = 'f32' }) {
    return `attention ${kvDtype}[${nHead}/${nKvHead},${headDim},${positions}]`;
  },
  tiles: (variant) =>
    (variant.reduce === 'serial' ? [1, 2, 4] : [1, 2, 4, 8]).flatMap((split) =>
      attentionTiles(variant).map((tile) => ({ split, ...tile })),
    ),
  problem(params, { split = 1, ...tile }) {
    const { variant, positions } = params;
    const unsplit = splitProblem(split);
    if (unsplit) return unsplit;
    const { columns } = cutPositions(positions, split);
    const whole = { ...ownAttentionTile(params, variant), ...tile };
    return attentionProblem(whole, params, columns, variant);
  },
};
