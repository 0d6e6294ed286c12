import {
  assert,
  assertGrid,
  type Binding,
  declare,
  enable,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { reduceFeatures, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins } from '../lib/reduce.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { filterLib } from './filter.ts';
import { eachQuad, samplerGroup } from './sampler-group.ts';
import { sequenceLib, sequenceTableBinding } from './sequence-table.ts';

export interface FilterLogitsParams {
  readonly sequences: number;
  readonly vocabSize: number;
  readonly variant?: Variant | undefined;
}

export type FilterLogitsBindings = {
  readonly logits: Binding<'in'>;
  readonly sequenceTable: Binding<'in'>;
  readonly probs: Binding<'out'>;
};

/**
 * From logits to the distribution a token is drawn from: temperature, top-k, top-p, softmax. Greedy
 * gives the first maximum probability 1.
 *
 * Top-k removes what is strictly below the k-th largest, so ties stay. Top-p removes a token when the
 * probability of those before it already exceeds p, so the token that crosses p stays; inside a group
 * of equal logits the lowest indices stay. Both thresholds come from a selection over
 * bins: no sort. Temperature divides the distance to the maximum, which keeps digits that scaled logits would
 * lose.
 *
 * A logit of minus infinity is a token that is not allowed. Where a logit is NaN or plus infinity, or no
 * token is allowed, all probabilities are NaN, as softmax has it.
 *
 * Shapes: logits and probs [sequences, vocabSize], sequenceTable u32 [sequences, 12] (`DrawingSequence`).
 * One workgroup per entry of the table; an idle one returns.
 * Source: LlamaGen autoregressive/models/generate.py, top_k_top_p_filtering and sample.
 */
export function filterLogits(params: FilterLogitsParams): Kernel<FilterLogitsBindings> {
  const identity = assertParams('filter_logits', params, {
    sequences: rule.size,
    vocabSize: rule.size,
    variant: rule.optional(rule.variant),
  });
  const { sequences, vocabSize, variant = PORTABLE } = params;
  assert(vocabSize <= 2 ** 24, `filter_logits: vocabSize ${vocabSize} is above 2^24`);
  const bindings: FilterLogitsBindings = {
    logits: rowBinding('in', [sequences, vocabSize]),
    sequenceTable: sequenceTableBinding(sequences),
    probs: rowBinding('out', [sequences, vocabSize]),
  };
  assertIndexable('filter_logits', bindings);
  const group = samplerGroup(vocabSize, variant);
  const row = { dtype: 'f32', length: vocabSize } as const;
  const features = reduceFeatures(group.reduce);
  const code = wgsl`${enable(features)}
${sequenceLib}
${declare(bindings)}
${rowReader({ name: 'logits', ...row })}
${rowWriter({ name: 'probs', ...row })}
struct Own { sequence: u32 }
fn logits_of(own: Own, i: u32) -> vec4f { return logits_at(own.sequence, i); }
${filterLib({ group, masks: true })}
@compute @workgroup_size(${group.size})
fn main(@builtin(workgroup_id) workgroup: vec3u, ${laneBuiltins(group.reduce)}) {
  let own = Own(workgroup.x);
  let settings = sequenceTable[own.sequence];
  if (settings.row == NO_ROW) { return; }
  let f = filter_of(own, settings, ${group.lane.args});
  ${eachQuad(
    group,
    `var p = probs_of(f, i, v);
    if (f.broken || f.empty) { p = vec4f(bitcast<f32>(0x7fc00000u | (i & 0u))); }
    probs_put(own.sequence, i, p);`,
  )}
}`;
  return {
    ...identity,
    label: `filter_logits f32[${sequences},${vocabSize}]`,
    code,
    bindings,
    workgroups: assertGrid(`filter_logits: ${sequences} sequences`, [sequences, 1, 1]),
    features,
  };
}
