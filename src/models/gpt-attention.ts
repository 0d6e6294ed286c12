/** Attention of a decoding step as graph calls, in the way that suits the adapter. */
import { type AttentionParams, attention } from '../../kernels/attention/attention.ts';
import { attentionParts } from '../../kernels/attention/attention-parts.ts';
import type { AttentionTile } from '../../kernels/attention/attention-tile.ts';
import { mergeAttention } from '../../kernels/attention/merge-attention.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { attentionKey, type Tiles, tileOf } from '../ops/tiles.ts';

export interface Attended {
  readonly q: Tensor;
  readonly kv: Tensor;
  readonly rowTable: Tensor;
}

interface Split {
  /**
   * Parts, at most, that the positions of a row are cut into; 1 is one dispatch without a merge. Parts
   * are meant for one guided image of a small model on a large GPU, which has more cores than there are
   * workgroups (2 rows x 12 heads); they cost every batch a dispatch in each layer, also the 192
   * workgroups of eight images. The number of rows must not choose, so only a measurement on the adapter
   * can (`llamagen tune`); none was made on a GPU yet.
   */
  readonly split: number;
}

/** Attention of few rows: one dispatch, or two where the tile cuts the positions into parts. */
export function attendInParts(
  g: Graph,
  params: AttentionParams & { readonly masked?: false },
  { q, kv, rowTable }: Attended,
  tiles: Tiles | undefined,
): Tensor {
  const found = tileOf<AttentionTile & Split>(tiles, attentionKey(params));
  const { split = 1, ...tile } = found;
  if (split === 1) return g.call(attention({ ...params, tile }), { q, kv, rowTable }).out;
  const { out: sums, peaks } = g.call(attentionParts({ ...params, split, tile }), {
    q,
    kv,
    rowTable,
  });
  const { rows, nHead, headDim, positions } = params;
  const merge = mergeAttention({ rows, nHead, headDim, positions, split });
  return g.call(merge, { sums, peaks, rowTable }).out;
}
