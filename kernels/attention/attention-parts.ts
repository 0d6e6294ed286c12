import type { Binding, Kernel } from '../kernel.ts';
import { rowBinding } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import { type AttentionParams, assertAttention, attentionKernel } from './attention-kernel.ts';
import { ATTENTION_RULES } from './attention-rules.ts';
import { assertSplit, cutPositions } from './attention-tile.ts';

export interface AttentionPartsParams extends AttentionParams {
  /** Parts, at most, that the positions are cut into. */
  readonly split: number;
}

export type AttentionPartsBindings = {
  readonly q: Binding<'in'>;
  readonly kv: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly out: Binding<'out'>;
  readonly peaks: Binding<'out'>;
};
export type MaskedAttentionPartsBindings = AttentionPartsBindings & {
  readonly mask: Binding<'in'>;
};

/**
 * `attention` with the positions cut into parts, so that few rows and heads keep a GPU busy; one more
 * dispatch, `mergeAttention`, puts the parts together. Part s covers positions s * columns ..
 * (s + 1) * columns - 1 of every row (`cutPositions`), so a row's result depends on its own position
 * alone. For the score x_j of column j of a part: peak = max x_j, weight = sum exp(x_j - peak),
 * out = sum exp(x_j - peak) v_j; weight and out are 0 where all columns are masked. Parts past a row's
 * position are neither made nor written.
 *
 * Shapes: as of `attention`, but out f32 [rows, nHead, parts, headDim] and peaks f32
 * [rows, nHead, parts, 2] (peak, weight).
 * Source: Dao et al. 2023, Flash-Decoding for long-context inference.
 */
export function attentionParts(
  params: AttentionPartsParams & { masked: true },
): Kernel<MaskedAttentionPartsBindings>;
export function attentionParts(
  params: AttentionPartsParams & { masked?: false },
): Kernel<AttentionPartsBindings>;
export function attentionParts(params: AttentionPartsParams): Kernel {
  const identity = assertParams('attention_parts', params, { ...ATTENTION_RULES, split: 'any' });
  const { rows, nHead, headDim, positions, split } = params;
  assertAttention('attention_parts', params);
  assertSplit('attention_parts', split);
  const cut = cutPositions(positions, split);
  const units = [rows, nHead, cut.parts];
  const dispatch = attentionKernel(params, {
    name: 'attention_parts',
    cut,
    outs: {
      out: rowBinding('out', [...units, headDim]),
      peaks: { role: 'out', dtype: 'f32', shape: [...units, 2], element: 'vec2f' },
    },
    result: 'sum',
    end: 'peaks[unit] = vec2f(best, weight);',
  });
  return { ...identity, ...dispatch, label: `${dispatch.label} in ${cut.parts}` };
}
