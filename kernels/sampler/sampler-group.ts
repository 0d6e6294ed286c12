/** The workgroup that samples one sequence, and its loops over the logits. */
import { ceilDiv, type Reduce, range, type Variant } from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import { type Reducer, reducer } from '../lib/reduce.ts';

export interface SamplerGroup {
  readonly vocabSize: number;
  /** Invocations in the workgroup. */
  readonly size: number;
  readonly reduce: Exclude<Reduce, 'serial'>;
  /** One subgroup or one invocation, which needs no barrier. */
  readonly isAlone: boolean;
  /** Quads of logits that each invocation holds in registers; 0: memory is read each time. */
  readonly held: number;
  /** Parameters and arguments of functions that all invocations call together. */
  readonly lane: { readonly params: string; readonly args: string };
  /** Maximum of f32, of vec4f and of u32; sum of f32; sum of u32 over lower lanes. */
  readonly highest: Reducer;
  readonly edges: Reducer;
  readonly last: Reducer;
  readonly sum: Reducer;
  readonly before: Reducer;
}

/** Most quads that an invocation holds: 64 registers of the 128 or more that there are. */
const MOST_HELD = 16;

/**
 * Where a barrier costs more than the work it shares, one subgroup or, without subgroups, one invocation:
 * of four a token takes SwiftShader 0.2 to 0.4 times as long as of one.
 */
export function samplerGroup(
  vocabSize: number,
  { reduce: asked, lanes = 1, invocations = 256 }: Variant,
): SamplerGroup {
  const isAlone = asked === 'serial';
  // Barriers over many subgroups are cheap where a subgroup reduces by itself.
  const most = asked === 'subgroup' && quads(vocabSize) > 1024 ? 1024 : 256;
  const size = isAlone ? lanes : 2 ** Math.floor(Math.log2(Math.min(most, invocations)));
  const reduce = !isAlone ? asked : lanes > 1 ? 'subgroup' : 'workgroup';
  const common = { size, reduce, lanes };
  const each = ceilDiv(quads(vocabSize), size);
  const isWide = reduce === 'subgroup';
  return {
    vocabSize,
    size,
    reduce,
    isAlone,
    held: each <= MOST_HELD && size > 1 ? each : 0,
    lane: {
      params: `lane: u32${isWide ? ', lanes: u32' : ''}`,
      args: `lane${isWide ? ', lanes' : ''}`,
    },
    highest: reducer({ ...common, name: 'highest', type: 'f32', op: 'max' }),
    edges: reducer({ ...common, name: 'edges', type: 'vec4f', op: 'max' }),
    last: reducer({ ...common, name: 'last', type: 'u32', op: 'max' }),
    sum: reducer({ ...common, name: 'sum', type: 'f32', op: 'sum' }),
    before: reducer({
      ...{ ...common, name: 'before', type: 'u32', op: 'before' },
      // A scan by subgroups has been wrong (select.ts).
      ...(!isAlone && { reduce: 'workgroup' }),
    }),
  };
}

/**
 * Statements about `logit`, the logit of `token`, for each token `c` of quad `i`, whose logits are `v`. Written
 * out: a loop over `v[c]` takes the sampler 1.2 times as long (SwiftShader, 16384 tokens).
 */
export const eachOfQuad = ({ vocabSize }: SamplerGroup, body: (c: number) => string): string =>
  range(4)
    .map((c) => {
      const text = `let token = 4u * i + ${c}u; let logit = v[${c}]; ${body(c)}`;
      return vocabSize % 4 === 0 ? `{ ${text} }` : `if (4u * i + ${c}u < VOCAB) { ${text} }`;
    })
    .join('\n    ');

/**
 * Statements about each quad `i` of an invocation. What is held is `held[j]`; all else is for `logits_of`.
 */
export function eachPlace({ vocabSize, size, held }: SamplerGroup, body: string): string {
  if (held === 0) return `for (var i = lane; i < QUADS; i += ${size}u) { ${body} }`;
  const isWhole = quads(vocabSize) === held * size;
  return `for (var j = 0u; j < ${held}u; j++) {
    let i = ${size}u * j + lane;
    ${isWhole ? body : `if (i < QUADS) { ${body} }`}
  }`;
}

/** Statements about each quad `i` of an invocation, whose logits are `v`, after the first time. */
export const eachQuad = (group: SamplerGroup, body: string): string =>
  eachPlace(group, `let v = ${group.held > 0 ? 'held[j]' : 'logits_of(own, i)'};\n${body}`);

/** Statements about each `token` of an invocation and its `logit`, after the first time. */
export const eachToken = (group: SamplerGroup, body: string): string =>
  eachQuad(
    group,
    eachOfQuad(group, () => body),
  );
