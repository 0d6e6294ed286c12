import {
  assert,
  type Binding,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  PORTABLE,
  type Reduce,
  range,
  type Variant,
} from '../kernel.ts';
import { reduceFeatures, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { laneBuiltins, reducer } from '../lib/reduce.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface PromptAttentionParams {
  /** Tokens of all prompts, one prompt after another. */
  readonly rows: number;
  readonly nHead: number;
  /** Features of a head; a multiple of 4. */
  readonly headDim: number;
  /** Biases of a head. */
  readonly buckets: number;
  /** Keys at this distance and farther away, before or after, have one bias. */
  readonly reach: number;
  readonly variant?: Variant | undefined;
}

export type PromptAttentionBindings = {
  readonly q: Binding<'in'>;
  readonly k: Binding<'in'>;
  readonly v: Binding<'in'>;
  readonly places: Binding<'in'>;
  readonly bucketTable: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/** Most features of a head: four for each invocation of a workgroup. */
const MOST_HEAD_DIM = 256;

/**
 * Attention of every token over all tokens of its prompt, with a bias by their distance and without a
 * scale: out[r] = softmax_j(q[r] k[j] + bias[bucket(j - r)]) v[j], per head, for the rows j of the prompt.
 * A row's sums run over the tokens of its prompt in order, whatever else there is.
 *
 * Shapes: q, k, v and out f32 [rows, nHead * headDim]; places u32 [rows, 2], first row and number of rows
 * of the prompt of each row; a row of no prompt has the number 0, and its `out` is 0. bucketTable
 * u32 [2 * reach + 1], the bucket of each distance j - r from -reach to reach; bias f32 [buckets, nHead].
 * Serial: an invocation per row, head and 16 features. Otherwise one workgroup per row and head, which takes a key an
 * invocation. Online softmax (Milakov and Gimelshein 2018, arXiv:1805.02867).
 * Source: Raffel et al. 2020 (arXiv:1910.10683), section 2.1; T5Attention of Hugging Face transformers.
 */
export function promptAttention(params: PromptAttentionParams): Kernel<PromptAttentionBindings> {
  const identity = assertParams('prompt_attention', params, {
    rows: rule.size,
    nHead: rule.size,
    headDim: rule.size,
    buckets: rule.size,
    reach: rule.size,
    variant: rule.optional(rule.variant),
  });
  const { rows, nHead, headDim, buckets, reach, variant = PORTABLE } = params;
  assert(
    headDim % 4 === 0 && headDim <= MOST_HEAD_DIM,
    `prompt_attention: "headDim" expected a multiple of 4, at most ${MOST_HEAD_DIM}, got ${headDim}`,
  );
  const heads = [rows, nHead * headDim];
  const bindings: PromptAttentionBindings = {
    q: rowBinding('in', heads),
    k: rowBinding('in', heads),
    v: rowBinding('in', heads),
    places: { role: 'in', dtype: 'u32', shape: [rows, 2], element: 'vec2u' },
    bucketTable: { role: 'in', dtype: 'u32', shape: [2 * reach + 1] },
    bias: { role: 'in', dtype: 'f32', shape: [buckets, nHead] },
    out: rowBinding('out', heads),
  };
  assertIndexable('prompt_attention', bindings);
  const { reduce } = variant;
  const serial = reduce === 'serial';
  const head = { dtype: 'f32', length: headDim } as const;
  const units = rows * nHead;
  const size = serial ? SERIAL_SIZE : SIZE;
  const members = serial ? membersOf(headDim / 4) : 1;
  const [gx, gy] = grid(serial ? ceilDiv(units * members, size) : units);
  const body = reduce === 'serial' ? alone(headDim / 4) : together(headDim / 4, reduce);
  const features = reduceFeatures(variant.reduce);
  const index = `group.y * ${gx}u + group.x`;
  const code = wgsl`${enable(features)}
${declare(bindings)}
const LOWEST = -3.4028234e38f;
${['q', 'k', 'v'].map((name) => rowReader({ name, ...head })).join('')}
${rowWriter({ name: 'out', ...head })}
fn bias_of(key: u32, row: u32, head: u32) -> f32 {
  let distance = clamp(i32(key) - i32(row), -${reach}, ${reach}) + ${reach};
  return bias[bucketTable[distance] * ${nHead}u + head];
}
${body.lib}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
  ${serial ? `let at = (${index}) * ${size}u + lane;` : ''}
  let unit = ${serial ? `at / ${members}u` : index};
  if (unit >= ${units}u) { return; }
  let row = unit / ${nHead}u;
  let head = unit % ${nHead}u;
  let first = places[row].x;
  let count = places[row].y;
  var best = LOWEST;
  var weight = 0.0;
  ${body.main(nHead)}
}`;
  return {
    ...identity,
    label: `prompt_attention f32[${nHead},${headDim}] x ${rows}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features,
  };
}

/** Software adapters run one workgroup a thread. */
const SERIAL_SIZE = 16;
/** Groups of four features that an invocation alone has sums of. */
const HELD = 4;
/** Keys that a workgroup takes at once. */
const SIZE = 64;

/** Declarations before `main`, and what follows `first`, `count`, `best` and `weight` in it. */
interface Body {
  readonly lib: string;
  main(nHead: number): string;
}

/**
 * Invocations that share a row and head, each with the scores of all keys and some of the features:
 * one alone would have sixteen sums of heads of 64, which took SwiftShader half a second to compile.
 */
const membersOf = (quads: number): number => ceilDiv(quads, HELD);

/** Key by key; `at` is the number of an invocation among all. */
function alone(quads: number): Body {
  const sums = range(Math.min(quads, HELD));
  const each = (statement: (i: number) => string): string => sums.map(statement).join('\n    ');
  const members = membersOf(quads);
  const isRagged = quads > HELD && quads % HELD > 0;
  const last = `${quads - 1}u`;
  const read = (i: number): string => {
    const place = `first_quad + ${i}u`;
    return `v_at(line, ${isRagged && i > 0 ? `min(${place}, ${last})` : place})`;
  };
  const put = (i: number): string => {
    const write = `out_put(unit, first_quad + ${i}u, sum${i} / max(weight, 1.0));`;
    return isRagged && i > 0 ? `if (first_quad + ${i}u <= ${last}) { ${write} }` : write;
  };
  return {
    lib: '',
    main: (nHead) => `
  let first_quad = at % ${members}u * ${HELD}u;
  ${each((i) => `var sum${i} = vec4f();`)}
  for (var key = first; key < first + count; key++) {
    let line = key * ${nHead}u + head;
    var score = bias_of(key, row, head);
    for (var i = 0u; i < ${quads}u; i++) { score += dot(q_at(unit, i), k_at(line, i)); }
    let top = max(best, score);
    let fade = exp(best - top);
    let p = exp(score - top);
    best = top;
    weight = weight * fade + p;
    ${each((i) => `sum${i} = sum${i} * fade + p * ${read(i)};`)}
  }
  ${each(put)}`,
  };
}

/** A workgroup: a score an invocation, then four features of a share of the keys each. */
function together(quads: number, reduce: Exclude<Reduce, 'serial'>): Body {
  const width = 2 ** Math.ceil(Math.log2(quads));
  const shares = SIZE / width;
  const largest = reducer({ name: 'largest', type: 'f32', op: 'max', size: SIZE, reduce });
  const total = reducer({ name: 'total', type: 'f32', op: 'sum', size: SIZE, reduce });
  return {
    lib: `${largest.code}
${total.code}
var<workgroup> weights: array<f32, ${SIZE}>;
var<workgroup> sums: array<vec4f, ${SIZE}>;`,
    main: (nHead) => `
  let quad = min(lane % ${width}u, ${quads - 1}u);
  var sum = vec4f();
  for (var begin = 0u; begin < count; begin += ${SIZE}u) {
    var score = LOWEST;
    if (begin + lane < count) {
      let key = first + begin + lane;
      score = bias_of(key, row, head);
      for (var i = 0u; i < ${quads}u; i++) { score += dot(q_at(unit, i), k_at(key * ${nHead}u + head, i)); }
    }
    let top = max(best, ${largest.call('score')});
    let fade = exp(best - top);
    let p = exp(score - top);
    best = top;
    weights[lane] = p;
    // Its barriers stand between the weights and who reads them, those of the next maximum behind.
    weight = weight * fade + ${total.call('p')};
    sum *= fade;
    for (var j = lane / ${width}u; j < min(${SIZE}u, count - begin); j += ${shares}u) {
      sum += weights[j] * v_at((first + begin + j) * ${nHead}u + head, quad);
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane < ${quads}u) {
    var whole = sums[lane];
    for (var i = 1u; i < ${shares}u; i++) { whole += sums[i * ${width}u + lane]; }
    out_put(unit, lane, whole / max(weight, 1.0));
  }`,
  };
}
