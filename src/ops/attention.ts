/** Attention over a KV cache, for few rows and many. */
import { attention } from '../../kernels/attention/attention.ts';
import {
  attentionProblem,
  attentionTiles,
  wholeAttentionTile,
} from '../../kernels/attention/attention-tile.ts';
import type { TransformerOps } from './transformer.ts';

export const attend: TransformerOps['attention'] = {
  key({ nHead, nKvHead, headDim, positions, kvDtype = 'f32' }) {
    return `attention ${kvDtype}[${nHead}/${nKvHead},${headDim},${positions}]`;
  },
  tiles: attentionTiles,
  problem: (params, tile) =>
    attentionProblem(wholeAttentionTile(params, params.variant, tile), params, params.variant),
  call(g, { padded, ...params }, { firsts, ...inputs }, tile) {
    const all = { ...params, tile };
    if (!padded) return g.call(attention(all), inputs).out;
    if (!firsts) throw new RangeError('attention behind padding is given no "firsts"');
    return g.call(attention({ ...all, padded }), { ...inputs, firsts }).out;
  },
};
