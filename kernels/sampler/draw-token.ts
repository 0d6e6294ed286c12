import { type Binding, declare, enable, type Kernel, PORTABLE, type Variant } from '../kernel.ts';
import { quads, rowBinding, rowReader, variantFeatures } from '../lib/accessors.ts';
import { finiteLib } from '../lib/finite.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins } from '../lib/reduce.ts';
import { rowLib, rowTableBinding } from '../lib/row-table.ts';
import { wgsl } from '../lib/wgsl.ts';
import { drawLib, finish } from './draw.ts';
import { DRAW_RULES } from './draw-rules.ts';
import { samplerGroup } from './sampler-group.ts';
import { sequenceLib, sequenceTableBinding } from './sequence-table.ts';

export interface DrawTokenParams {
  /** Entries of the table of sequences: most that draw in one pass. */
  readonly sequences: number;
  /** Rows of the pass. */
  readonly rows: number;
  /** Lines of `tokens`: sequences that there may be at once. */
  readonly capacity: number;
  readonly vocabSize: number;
  /** Tokens in a grid. */
  readonly blockSize: number;
  /** Condition tokens before the first image token. */
  readonly clsTokenNum: number;
  readonly variant?: Variant | undefined;
}

export type DrawTokenBindings = {
  readonly probs: Binding<'in'>;
  readonly sequenceTable: Binding<'in'>;
  readonly rowTable: Binding<'inout'>;
  readonly tokens: Binding<'inout'>;
};

/**
 * Draws one token per sequence, writes it where the next embedding reads it, and moves the rows of
 * the sequence one position on. The exponential race: argmax_t probs[t] / e_t with e_t exponential,
 * which is Gumbel-max without the logarithm of the probability. e_t is a function of the seed, the
 * step and t alone. The lowest index wins a tie. A sequence whose grid is full is left
 * alone, and so is what an idle entry would write.
 * Where a probability is not finite, or none is above zero, the token is NO_TOKEN, and a given token
 * becomes it: torch.multinomial throws there, and what a kernel can say it says in the grid.
 *
 * Shapes: probs [sequences, vocabSize], sequenceTable u32 [sequences, 12] (`DrawingSequence`), rowTable
 * u32 [rows, 4] (`Row`), tokens u32 [capacity, blockSize]. One workgroup per sequence.
 * Source: LlamaGen autoregressive/serve/sampler.py (exponential race), gpt-fast generate.py.
 */
export function drawToken(params: DrawTokenParams): Kernel<DrawTokenBindings> {
  const identity = assertParams('draw_token', params, DRAW_RULES);
  const { sequences, rows, capacity, vocabSize, blockSize, clsTokenNum } = params;
  const { variant = PORTABLE } = params;
  const bindings: DrawTokenBindings = {
    probs: rowBinding('in', [sequences, vocabSize]),
    sequenceTable: sequenceTableBinding(sequences),
    rowTable: rowTableBinding('inout', rows),
    tokens: { role: 'inout', dtype: 'u32', shape: [capacity, blockSize] },
  };
  assertIndexable('draw_token', bindings);
  const { size, reduce, highest, last } = samplerGroup(variant);
  const features = variantFeatures({ reduce, f16: false }, false);
  const code = wgsl`${enable(features)}
${rowLib}${sequenceLib}
${declare(bindings)}
${rowReader({ name: 'probs', dtype: 'f32', length: vocabSize })}
${finiteLib}
${drawLib}
${highest.code}
${last.code}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
  let sequence = group.x;
  let settings = sequenceTable[sequence];
  if (settings.row == NO_ROW) { return; }
  let step = rowTable[settings.row].position - ${clsTokenNum - 1}u;
  var leader = Race();
  var largest = 0u;
  for (var i = lane; i < ${quads(vocabSize)}u; i += ${size}u) {
    let p = probs_at(sequence, i);
    largest = max(largest, magnitude_of_any(p));
    leader = race(leader, i, p, step, settings.seed);
  }
  ${finish({ vocabSize, blockSize, highest, last, broken: 'largest >= INFINITE' })}
}`;
  return {
    ...identity,
    label: `draw_token f32[${sequences},${vocabSize}]`,
    code,
    bindings,
    workgroups: [sequences, 1, 1],
    features,
  };
}
