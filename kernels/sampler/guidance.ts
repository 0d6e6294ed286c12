import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { type Binding, ceilDiv, declare, type Kernel } from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/rows.ts';
import { guide } from './guide.ts';
import { samplingBinding, samplingLib } from './sampling.ts';

export interface GuidanceParams {
  readonly sequences: number;
  readonly vocabSize: number;
  /** Condition tokens before the first image token. */
  readonly clsTokenNum: number;
}

export type GuidanceBindings = {
  readonly logits: Binding<'in'>;
  readonly place: Binding<'in'>;
  readonly sampling: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * Classifier-free guidance: out = uncond + (cond - uncond) * cfgScale, or cond alone where cfgScale is
 * at most 1 or where cfgInterval has ended it. The official decode loop counts from the second
 * token, so tokens 0 .. cfgInterval + 1 are guided.
 *
 * Shapes: logits [2 * sequences, vocabSize], conditional rows first; place u32 [2 * sequences, 2];
 * sampling u32 [sequences, 8]; out [sequences, vocabSize].
 * Source: Ho and Salimans 2022 (arXiv:2207.12598); LlamaGen autoregressive/models/generate.py,
 * decode_one_token and decode_n_tokens.
 */
export function guidance(params: GuidanceParams): Kernel<GuidanceBindings> {
  const identity = assertParams('guidance', params, {
    sequences: 'size',
    vocabSize: 'size',
    clsTokenNum: 'size',
  });
  const { sequences, vocabSize, clsTokenNum } = params;
  const row = { dtype: 'f32', length: vocabSize } as const;
  const bindings: GuidanceBindings = {
    logits: rowBinding('in', [2 * sequences, vocabSize]),
    place: { role: 'in', dtype: 'u32', shape: [2 * sequences, 2], element: 'vec2u' },
    sampling: samplingBinding(sequences),
    out: rowBinding('out', [sequences, vocabSize]),
  };
  assertIndexable('guidance', bindings);
  const size = 64;
  const code = wgsl`${samplingLib}
${declare(bindings)}
${rowReader({ name: 'logits', ...row })}
${rowWriter({ name: 'out', ...row })}
@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let sequence = id.y;
  let i = id.x;
  if (i >= ${quads(vocabSize)}u) { return; }
  let how = sampling[sequence];
  ${guide('v', { logits: 'logits', sequences, clsTokenNum })}
  out_put(sequence, i, v);
}`;
  return {
    ...identity,
    label: `guidance f32[${sequences},${vocabSize}]`,
    code,
    bindings,
    workgroups: [ceilDiv(quads(vocabSize), size), sequences, 1],
  };
}
