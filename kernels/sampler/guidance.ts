import { assertGrid, type Binding, ceilDiv, declare, type Kernel } from '../kernel.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { rowLib, rowTableBinding } from '../lib/row-table.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { guideLib } from './guide.ts';
import { sequenceLib, sequenceTableBinding } from './sequence-table.ts';

export interface GuidanceParams {
  readonly sequences: number;
  /** Rows of the pass. */
  readonly rows: number;
  readonly vocabSize: number;
  /** Condition tokens before the first image token. */
  readonly clsTokenNum: number;
}

export type GuidanceBindings = {
  readonly logits: Binding<'in'>;
  readonly rowTable: Binding<'in'>;
  readonly sequenceTable: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * Classifier-free guidance: out = uncond + (cond - uncond) * cfgScale, or cond alone where cfgScale is
 * at most 1, where the sequence has no row without condition, or where cfgInterval has ended it. The official decode loop counts from the second
 * token, so tokens 0 .. cfgInterval + 1 are guided.
 *
 * Shapes: logits [rows, vocabSize], rowTable u32 [rows, 4] (`Row`), sequenceTable u32 [sequences, 12]
 * (`DrawingSequence`), out [sequences, vocabSize]; idle sequences leave theirs alone.
 * Source: Ho and Salimans 2022 (arXiv:2207.12598); LlamaGen autoregressive/models/generate.py,
 * decode_one_token and decode_n_tokens.
 */
export function guidance(params: GuidanceParams): Kernel<GuidanceBindings> {
  const identity = assertParams('guidance', params, {
    sequences: rule.size,
    rows: rule.size,
    vocabSize: rule.size,
    clsTokenNum: rule.size,
  });
  const { sequences, rows, vocabSize, clsTokenNum } = params;
  const row = { dtype: 'f32', length: vocabSize } as const;
  const bindings: GuidanceBindings = {
    logits: rowBinding('in', [rows, vocabSize]),
    rowTable: rowTableBinding('in', rows),
    sequenceTable: sequenceTableBinding(sequences),
    out: rowBinding('out', [sequences, vocabSize]),
  };
  assertIndexable('guidance', bindings);
  const size = 64;
  const code = wgsl`${rowLib}${sequenceLib}
${declare(bindings)}
${rowReader({ name: 'logits', ...row })}
${rowWriter({ name: 'out', ...row })}
${guideLib('logits')}
@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  let settings = sequenceTable[id.y];
  if (i >= ${quads(vocabSize)}u || settings.row == NO_ROW) { return; }
  let step = rowTable[settings.row].position - ${clsTokenNum - 1}u;
  out_put(id.y, i, guided_at(own_of(settings, step), i));
}`;
  return {
    ...identity,
    label: `guidance f32[${sequences},${vocabSize}]`,
    code,
    bindings,
    workgroups: assertGrid(`guidance: ${sequences} sequences`, [
      ceilDiv(quads(vocabSize), size),
      sequences,
      1,
    ]),
  };
}
