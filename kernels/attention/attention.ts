import type { Binding, Kernel } from '../kernel.ts';
import { rowBinding } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import { type AttentionParams, assertAttention, attentionKernel } from './attention-kernel.ts';
import { ATTENTION_RULES } from './attention-rules.ts';
import { cutPositions } from './attention-tile.ts';

export type { AttentionParams };

export type AttentionBindings = {
  readonly q: Binding<'in'>;
  readonly kv: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type MaskedAttentionBindings = AttentionBindings & { readonly mask: Binding<'in'> };

/**
 * Attention of each row's query over the cached keys 0 .. position of its slot:
 * out = softmax(q k^T / sqrt(headDim)) v, per head, in one dispatch. Serves decoding (one row a
 * sequence) and prefill (many rows, all written to the cache before). With `masked`, a row at position
 * p attends to column j <= p where mask[slot, j] != 0 or j = p, so that padding never gives NaN.
 *
 * Shapes: q and out f32 [rows, nHead * headDim], kv [2, slots, nKvHead, positions, headDim],
 * rowTable u32 [rows, 4] (`Row`), mask u32 [slots, positions]. KV head
 * h / (nHead / nKvHead) serves head h. Sums in f32.
 * Serial: one invocation per row and head, online softmax (Milakov and Gimelshein 2018,
 * arXiv:1805.02867). Otherwise one workgroup per row and head, scores in workgroup memory.
 * Source: LlamaGen autoregressive/models/gpt.py, Attention.forward.
 */
export function attention(
  params: AttentionParams & { masked: true },
): Kernel<MaskedAttentionBindings>;
export function attention(params: AttentionParams & { masked?: false }): Kernel<AttentionBindings>;
export function attention(params: AttentionParams): Kernel {
  const identity = assertParams('attention', params, ATTENTION_RULES);
  const { rows, nHead, headDim, positions } = params;
  assertAttention('attention', params);
  const dispatch = attentionKernel(params, {
    name: 'attention',
    cut: cutPositions(positions, 1),
    outs: { out: rowBinding('out', [rows, nHead * headDim]) },
    result: 'sum / weight',
  });
  return { ...identity, ...dispatch };
}
