import {
  assert,
  assertGrid,
  type Binding,
  declare,
  enable,
  type Kernel,
  PORTABLE,
} from '../kernel.ts';
import { reduceFeatures, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins } from '../lib/reduce.ts';
import { rowLib, rowTableBinding } from '../lib/row-table.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { begin, drawLib, finish } from './draw.ts';
import { DRAW_RULES } from './draw-rules.ts';
import type { DrawTokenParams } from './draw-token.ts';
import { drawnBinding } from './drawn.ts';
import { filterLib } from './filter.ts';
import { guideLib } from './guide.ts';
import { eachQuad, samplerGroup } from './sampler-group.ts';
import { sequenceLib, sequenceTableBinding } from './sequence-table.ts';

export interface SampleTokenParams extends DrawTokenParams {
  /** Write what the filter was given and what it left, for who reads it. Default false. */
  readonly keep?: boolean | undefined;
}

export type SampleTokenBindings = {
  readonly raw: Binding<'in'>;
  readonly sequenceTable: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly drawn: Binding<'inout'>;
};

export type KeptBindings = SampleTokenBindings & {
  readonly logits: Binding<'out'>;
  readonly probs: Binding<'out'>;
};

/**
 * The whole sampler in one dispatch: `guidance`, `filterLogits`, `drawToken`; see those for what each step computes. The same bits as the three kernels.
 *
 * Where a logit is not finite, before or after guidance, nothing can be drawn: the token is NO_TOKEN, of
 * which `embed` makes NaN, so that the steps after it say the same. Minus infinity counts too: the logits of
 * a network are not masked, so it is an overflow like the others.
 *
 * Shapes: raw [rows, vocabSize], sequenceTable u32 [sequences, 12] (`DrawingSequence`), rowTable u32
 * [rows, 4] (`Row`), drawn u32 [sequences]; with `keep` also logits and probs
 * [sequences, vocabSize]. One workgroup per entry of the table; an idle one returns, and one for a
 * given token too.
 * Source: LlamaGen autoregressive/models/generate.py, decode_one_token and sample.
 */
export function sampleToken(
  params: SampleTokenParams & { readonly keep: true },
): Kernel<KeptBindings>;
export function sampleToken(params: SampleTokenParams): Kernel<SampleTokenBindings>;
export function sampleToken(params: SampleTokenParams): Kernel<SampleTokenBindings> {
  const identity = assertParams('sample_token', params, {
    ...DRAW_RULES,
    keep: rule.optional(rule.flag),
  });
  const { sequences, rows, vocabSize, clsTokenNum, variant = PORTABLE, keep = false } = params;
  assert(vocabSize <= 2 ** 24, `sample_token: vocabSize ${vocabSize} is above 2^24`);
  const kept = rowBinding('out', [sequences, vocabSize]);
  const bindings: SampleTokenBindings = {
    raw: rowBinding('in', [rows, vocabSize]),
    sequenceTable: sequenceTableBinding(sequences),
    rowTable: rowTableBinding('in', rows),
    drawn: drawnBinding(sequences),
    ...(keep && { logits: kept, probs: kept }),
  };
  assertIndexable('sample_token', bindings);
  const group = samplerGroup(vocabSize, variant);
  const { highest, last } = group;
  const row = { dtype: 'f32', length: vocabSize } as const;
  const features = reduceFeatures(group.reduce);
  const code = wgsl`${enable(features)}
${rowLib}${sequenceLib}
${declare(bindings)}
${rowReader({ name: 'raw', ...row })}
${keep ? ['logits', 'probs'].map((name) => rowWriter({ name, ...row })).join('') : ''}
${guideLib('raw')}
fn logits_of(own: Own, i: u32) -> vec4f { return guided_at(own, i); }
${filterLib({ group, masks: false })}
${drawLib}
@compute @workgroup_size(${group.size})
fn main(@builtin(workgroup_id) workgroup: vec3u, ${laneBuiltins(group.reduce)}) {
  let sequence = workgroup.x;
  ${begin(clsTokenNum)}
  let own = own_of(settings, step);
  let f = filter_of(own, settings, ${group.lane.args});
  var leader = Race();
  ${eachQuad(
    group,
    `let p = probs_of(f, i, v);
    ${keep ? 'logits_put(sequence, i, v); probs_put(sequence, i, p);' : ''}
    leader = race(leader, i, p, step, settings.seed);`,
  )}
  ${finish({ vocabSize, highest, last, broken: 'f.broken' })}
}`;
  return {
    ...identity,
    label: `sample_token f32[${rows},${vocabSize}]`,
    code,
    bindings,
    workgroups: assertGrid(`sample_token: ${sequences} sequences`, [sequences, 1, 1]),
    features,
  };
}
