/** Attention of a decoding step as graph calls, in the way that suits the adapter. */
import { type AttentionParams, attention } from '../../kernels/attention/attention.ts';
import { attentionParts } from '../../kernels/attention/attention-parts.ts';
import { attentionTile } from '../../kernels/attention/attention-tile.ts';
import { mergeAttention } from '../../kernels/attention/merge-attention.ts';
import { PORTABLE } from '../../kernels/kernel.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';

export interface Attended {
  readonly q: Tensor;
  readonly kv: Tensor;
  readonly rowTable: Tensor;
}

/** Attention of few rows: one dispatch, or two where the tile cuts the positions into parts. */
export function attendInParts(
  g: Graph,
  params: AttentionParams & { readonly masked?: false },
  { q, kv, rowTable }: Attended,
): Tensor {
  const { split } = attentionTile(params, params.variant ?? PORTABLE);
  if (split === 1) return g.call(attention(params), { q, kv, rowTable }).out;
  const { out: sums, peaks } = g.call(attentionParts({ ...params, split }), { q, kv, rowTable });
  const { rows, nHead, headDim, positions } = params;
  const merge = mergeAttention({ rows, nHead, headDim, positions, split });
  return g.call(merge, { sums, peaks, rowTable }).out;
}
