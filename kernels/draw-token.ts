import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  assert,
  assertSizes,
  type Binding,
  declare,
  enable,
  type Kernel,
  PORTABLE,
  type Variant,
} from './kernel.ts';
import { assertIndexable } from './lib/indexable.ts';
import { philoxLib } from './lib/philox.ts';
import { laneBuiltins, reducer } from './lib/reduce.ts';
import { variantFeatures } from './lib/rows.ts';
import { samplingBinding, samplingLib } from './lib/sampling.ts';

export interface DrawTokenParams {
  readonly sequences: number;
  /** Rows of the batch: `sequences`, or twice that with guidance. */
  readonly rows: number;
  readonly vocabSize: number;
  /** Tokens in a grid. */
  readonly blockSize: number;
  /** Condition tokens before the first image token. */
  readonly clsTokenNum: number;
  readonly variant?: Variant;
}

export type DrawTokenBindings = {
  readonly probs: Binding<'in'>;
  readonly sampling: Binding<'in'>;
  readonly place: Binding<'inout'>;
  readonly tokens: Binding<'inout'>;
};

/**
 * Draws one token per sequence, writes it where the next embedding reads it, and moves the rows of
 * the sequence one position on. The exponential race: argmax_t probs[t] / e_t with e_t exponential,
 * which is Gumbel-max without the logarithm of the probability. e_t is a function of the seed, the
 * step and t alone. The lowest index wins a tie. A sequence whose grid is full is left alone.
 *
 * Shapes: probs [sequences, vocabSize], sampling u32 [sequences, 8], place u32 [rows, 2] (KV slot,
 * position), tokens u32 [sequences, blockSize]. One workgroup per sequence.
 * Source: LlamaGen autoregressive/serve/sampler.py (exponential race), gpt-fast generate.py.
 */
export function drawToken(params: DrawTokenParams): Kernel<DrawTokenBindings> {
  const { sequences, rows, vocabSize, blockSize, clsTokenNum, variant = PORTABLE } = params;
  assertSizes('draw_token', { sequences, rows, vocabSize, blockSize, clsTokenNum });
  assert(
    rows === sequences || rows === 2 * sequences,
    `draw_token: ${rows} rows are neither ${sequences} nor twice as many`,
  );
  const bindings: DrawTokenBindings = {
    probs: { role: 'in', dtype: 'f32', shape: [sequences, vocabSize] },
    sampling: samplingBinding(sequences),
    place: { role: 'inout', dtype: 'u32', shape: [rows, 2], element: 'vec2u' },
    tokens: { role: 'inout', dtype: 'u32', shape: [sequences, blockSize] },
  };
  assertIndexable('draw_token', bindings);
  const size = variant.reduce === 'serial' ? 1 : 256;
  const reduce = variant.reduce === 'serial' ? 'workgroup' : variant.reduce;
  const features = variantFeatures({ reduce, f16: false }, false);
  const highest = reducer({ name: 'highest', type: 'f32', op: 'max', size, reduce });
  const last = reducer({ name: 'last', type: 'u32', op: 'max', size, reduce });
  const code = wgsl`${enable(features)}
${samplingLib}
${declare(bindings)}
const VOCAB = ${vocabSize}u;
${philoxLib}
${highest.code}
${last.code}

// -log(1 - v) for v in (0, 1), exact to float precision for small v, where races are won.
fn exponential(bits: u32) -> f32 {
  let v = min((f32(bits) + 0.5) * ${2 ** -32}, ${1 - 2 ** -24});
  let series = v * (1.0 + v * (0.5 + v * (${1 / 3} + v * 0.25)));
  return select(-log(1.0 - v), series, v < ${2 ** -6});
}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
  let sequence = group.x;
  let how = sampling[sequence];
  let step = place[sequence].y - ${clsTokenNum - 1}u;
  var best = 0.0;
  var winner = 0u;
  for (var block = lane; block * 4u < VOCAB; block += ${size}u) {
    let random = philox(vec4u(block, step, 0u, 0u), how.seed);
    for (var c = 0u; c < 4u; c++) {
      let token = block * 4u + c;
      if (token >= VOCAB) { break; }
      let p = probs[sequence * VOCAB + token];
      if (p == 0.0) { continue; }
      let score = p / exponential(random[c]);
      if (score > best) {
        best = score;
        winner = token;
      }
    }
  }
  let top = ${highest.call('best')};
  let token = VOCAB - ${last.call('select(0u, VOCAB - winner, best == top)')};
  if (lane > 0u || step >= ${blockSize}u) { return; }
  if ((how.flags & FORCED) == 0u) { tokens[sequence * ${blockSize}u + step] = token; }
  for (var row = sequence; row < ${rows}u; row += ${sequences}u) { place[row].y += 1u; }
}`;
  return {
    label: `draw_token f32[${sequences},${vocabSize}]`,
    code,
    bindings,
    workgroups: [sequences, 1, 1],
    features,
  };
}
