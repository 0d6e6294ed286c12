/** The inner part of attention over a range of cached positions, as WGSL. */
import { ceilDiv, range } from '../kernel.ts';
import { type ReducerParams, reducer } from '../lib/reduce.ts';
import { type AttentionTile, type Cut, spanThatFits, stripsOf } from './attention-tile.ts';

export interface AttentionBody {
  readonly cut: Cut;
  readonly tile: AttentionTile;
  /** rows x heads x parts. */
  readonly units: number;
  /** Groups of four values in a head. */
  readonly quads: number;
  /** Whether columns are asked for with `allowed`. */
  readonly masked: boolean;
  /** A statement for one invocation of each unit. */
  readonly end: string;
}

export interface AttentionCode {
  readonly before: string;
  /** From `index`, the workgroup. */
  readonly main: string;
  readonly workgroups: number;
}

/** What is masked has no part in anything. */
const SKIP = 'if (!allowed(at, j)) { continue; }';

/** One invocation for each unit, online softmax. */
export function serialBody({ tile, units, quads, masked, end }: AttentionBody): AttentionCode {
  const { size } = tile;
  const d = range(quads);
  const main = `
  let unit = index * ${size}u + lane;
  if (unit >= ${units}u) { return; }
  let at = part_of(unit);
  if (at.count == 0u) { return; }
  ${d.map((i) => `let q${i} = q_at(at.pair, ${i}u); var sum${i} = vec4f();`).join('\n  ')}
  var best = -3.0e38;
  var weight = 0.0;
  for (var j = 0u; j < at.count; j++) {
    ${masked ? SKIP : ''}
    var score = 0.0;
    ${d.map((i) => `score += dot(q${i}, kv_at(at.keys + j, ${i}u));`).join('\n    ')}
    score *= SCALE;
    let top = max(best, score);
    let fade = exp(best - top);
    let p = exp(score - top);
    best = top;
    weight = weight * fade + p;
    ${d.map((i) => `sum${i} = sum${i} * fade + p * kv_at(at.values + j, ${i}u);`).join('\n    ')}
  }
  ${d.map((i) => `out_put(unit, ${i}u, result(sum${i}, weight));`).join('\n  ')}
  ${end}`;
  return { before: '', main, workgroups: ceilDiv(units, size) };
}

/**
 * One workgroup for each unit, scores in workgroup memory. Spans of invocations share the dot product of
 * a key, then each has some columns of the softmax; strips of invocations share the sum over values.
 */
export function sharedBody(
  { cut, tile, units, quads, masked, end }: AttentionBody,
  reduce: ReducerParams['reduce'],
): AttentionCode {
  const { size } = tile;
  const { columns } = cut;
  const span = spanThatFits(tile, quads, columns);
  const strips = stripsOf(size, quads);
  const top = reducer({ name: 'highest', type: 'f32', op: 'max', size, reduce });
  const total = reducer({ name: 'total', type: 'f32', op: 'sum', size, reduce });
  const before = `
var<workgroup> query: array<vec4f, ${quads}>;
var<workgroup> scores: array<f32, ${span * columns}>;
var<workgroup> strips: array<vec4f, ${strips * quads}>;
${top.code}
${total.code}`;
  const main = `
  let unit = index;
  if (unit >= ${units}u) { return; }
  let at = part_of(unit);
  if (at.count == 0u) { return; }
  if (lane < ${quads}u) { query[lane] = q_at(at.pair, lane); }
  workgroupBarrier();
  let share = lane % ${span}u;
  for (var j = lane / ${span}u; j < at.count; j += ${size / span}u) {
    ${masked ? SKIP : ''}
    var product = 0.0;
    for (var i = share; i < ${quads}u; i += ${span}u) { product += dot(query[i], kv_at(at.keys + j, i)); }
    scores[share * ${columns}u + j] = product;
  }
  workgroupBarrier();
  var own_best = -3.0e38;
  for (var j = lane; j < at.count; j += ${size}u) {
    ${masked ? SKIP : ''}
    var score = scores[j];
    ${span > 1 ? `for (var s = 1u; s < ${span}u; s++) { score += scores[s * ${columns}u + j]; }` : ''}
    score *= SCALE;
    scores[j] = score;
    own_best = max(own_best, score);
  }
  let best = ${top.call('own_best')};
  var own_weight = 0.0;
  for (var j = lane; j < at.count; j += ${size}u) {
    let p = ${masked ? 'select(0.0, exp(scores[j] - best), allowed(at, j))' : 'exp(scores[j] - best)'};
    scores[j] = p;
    own_weight += p;
  }
  let weight = ${total.call('own_weight')};
  let i = lane % ${quads}u;
  let strip = lane / ${quads}u;
  if (strip < ${strips}u) {
    var v = vec4f();
    for (var j = strip; j < at.count; j += ${strips}u) { v += scores[j] * kv_at(at.values + j, i); }
    strips[strip * ${quads}u + i] = v;
  }
  workgroupBarrier();
  if (lane < ${quads}u) {
    var v = strips[lane];
    for (var s = 1u; s < ${strips}u; s++) { v += strips[s * ${quads}u + lane]; }
    out_put(unit, lane, result(v, weight));
  }
  ${end && `if (lane == 0u) { ${end} }`}`;
  return { before, main, workgroups: units };
}
