import {
  assertGrid,
  type Binding,
  declare,
  enable,
  type Kernel,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { quads, reduceFeatures, rowBinding, rowReader } from '../lib/accessors.ts';
import { finiteFourLib, finiteLib } from '../lib/finite.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins } from '../lib/reduce.ts';
import { rowLib, rowTableBinding } from '../lib/row-table.ts';
import { wgsl } from '../lib/wgsl.ts';
import { begin, drawLib, finish } from './draw.ts';
import { DRAW_RULES } from './draw-rules.ts';
import { drawnBinding } from './drawn.ts';
import { samplerGroup } from './sampler-group.ts';
import { sequenceLib, sequenceTableBinding } from './sequence-table.ts';

export interface DrawTokenParams {
  /** Entries of the table of sequences: most draws of one pass. */
  readonly sequences: number;
  /** Rows of the pass. */
  readonly rows: number;
  readonly vocabSize: number;
  /** Condition tokens before the first image token. */
  readonly clsTokenNum: number;
  readonly variant?: Variant | undefined;
}

export type DrawTokenBindings = {
  readonly probs: Binding<'in'>;
  readonly sequenceTable: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly drawn: Binding<'inout'>;
};

/**
 * Draws one token for each entry of the table of sequences, for `advance` to take. The exponential race:
 * argmax_t probs[t] / e_t with e_t exponential, which is Gumbel-max without the logarithm of the
 * probability. e_t is a function of the seed, the step and t alone. The lowest index wins a tie. What an
 * idle entry would write is left alone; a given token is GIVEN, and nothing is drawn.
 * Where a probability is not finite, or none is above zero, the token is NO_TOKEN: torch.multinomial
 * throws there, and what a kernel can say it says in the grid.
 *
 * Shapes: probs [sequences, vocabSize], sequenceTable u32 [sequences, 12] (`DrawingSequence`) of
 * `packSequences`, rowTable u32 [rows, 4] (`Row`) of `packRows`, drawn u32 [sequences], NOT_DRAWN at first.
 * One workgroup per entry.
 * Source: LlamaGen autoregressive/serve/sampler.py (exponential race), gpt-fast generate.py.
 */
export function drawToken(params: DrawTokenParams): Kernel<DrawTokenBindings> {
  const identity = assertParams('draw_token', params, DRAW_RULES);
  const { sequences, rows, vocabSize, clsTokenNum, variant = PORTABLE } = params;
  const bindings: DrawTokenBindings = {
    probs: rowBinding('in', [sequences, vocabSize]),
    sequenceTable: sequenceTableBinding(sequences),
    rowTable: rowTableBinding('in', rows),
    drawn: drawnBinding(sequences),
  };
  assertIndexable('draw_token', bindings);
  const { size, reduce, highest, last } = samplerGroup(vocabSize, variant);
  const features = reduceFeatures(reduce);
  const code = wgsl`${enable(features)}
${rowLib}${sequenceLib}
${declare(bindings)}
${rowReader({ name: 'probs', dtype: 'f32', length: vocabSize })}
${finiteLib}${finiteFourLib}
${drawLib}
${highest.code}
${last.code}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
  let sequence = group.x;
  ${begin(clsTokenNum)}
  var leader = Race();
  var largest = 0u;
  for (var i = lane; i < ${quads(vocabSize)}u; i += ${size}u) {
    let p = probs_at(sequence, i);
    largest = max(largest, magnitude_of_any(p));
    leader = race(leader, i, p, step, settings.seed);
  }
  ${finish({ vocabSize, highest, last, broken: 'largest >= INFINITE' })}
}`;
  return {
    ...identity,
    label: `draw_token f32[${sequences},${vocabSize}]`,
    code,
    bindings,
    workgroups: assertGrid(`draw_token: ${sequences} sequences`, [sequences, 1, 1]),
    features,
  };
}
