/** The inner part of attention: online softmax over the cached positions, as WGSL. */
import { ceilDiv, range } from '../kernel.ts';
import type { Width } from '../lib/weights.ts';

export interface AttentionBody {
  /** Neighbouring invocations that hold a key together. */
  readonly span: number;
  /** Spans that share a row and head: those of a workgroup, or one. */
  readonly spans: number;
  /** Keys that a span takes at once. */
  readonly keys: number;
  /** Values of a head that are read at once. */
  readonly width: Width;
  /** Reads of a head. */
  readonly pieces: number;
  /** WGSL: the first column that is attended to. */
  readonly begin: string;
  /** How the invocations of a span exchange what they have. */
  readonly through: 'subgroup' | 'workgroup';
}

/** Below any score: what weighs nothing beside one. */
const LOWEST = 'f32(-3.0e38)';

/** Reads of an invocation, of each key. */
const loadsOf = ({ pieces, span }: AttentionBody): readonly number[] =>
  range(ceilDiv(pieces, span));

/** Parts of what is read at once, four values each. */
const partsOf = ({ width }: AttentionBody): readonly string[] =>
  width === 4 ? [''] : ['[0]', '[1]'];

/** Groups of four values that a span has summed. */
const summedOf = (body: AttentionBody): number =>
  body.span * loadsOf(body).length * partsOf(body).length;

/** Declarations before `main`. */
export function attentionLib(body: AttentionBody): string {
  const { span, spans, keys, width } = body;
  const dots = partsOf(body).map((part) => `dot(a${part}, b${part})`);
  const merged = `
var<workgroup> bests: array<f32, ${spans}>;
var<workgroup> weights: array<f32, ${spans}>;
var<workgroup> sums: array<vec4f, ${spans * summedOf(body)}>;`;
  return `
alias Values = ${width === 4 ? 'vec4f' : 'mat2x4f'};
alias Scores = ${keys === 1 ? 'f32' : `vec${keys}f`};
alias Columns = ${keys === 1 ? 'u32' : `vec${keys}u`};
fn add_product(sum: f32, a: Values, b: Values) -> f32 { return sum + ${dots.join(' + ')}; }
${span === 1 ? '' : exchange(body)}
${spans === 1 ? '' : merged}`;
}

/** `fn over_span(share: Scores, lane: u32) -> Scores`: the sum of the shares of a span, in all of it. */
function exchange({ span, spans, through }: AttentionBody): string {
  const masks = range(Math.log2(span)).map((bit) => 2 ** bit);
  return through === 'subgroup'
    ? `
fn over_span(share: Scores, lane: u32) -> Scores {
  var sum = share;
  ${masks.map((mask) => `sum += subgroupShuffleXor(sum, ${mask}u);`).join('\n  ')}
  return sum;
}`
    : `
var<workgroup> shares: array<Scores, ${spans * span}>;
fn over_span(share: Scores, lane: u32) -> Scores {
  shares[lane] = share;
  workgroupBarrier();
  let first = lane - lane % ${span}u;
  var sum = shares[first];
  for (var i = 1u; i < ${span}u; i++) { sum += shares[first + i]; }
  workgroupBarrier();
  return sum;
}`;
}

/** The component of a vector that is of a key. */
const componentOf =
  (keys: number) =>
  (vector: string, key: number): string =>
    keys === 1 ? vector : `${vector}.${'xyzw'.charAt(key)}`;

/** Which `columns` a span reads from `j` on, and what hides the scores of those that are not attended to. */
function columnsOf({ spans, keys }: AttentionBody): { columns: string; hide: string } {
  if (spans * keys === 1) return { columns: 'let columns = j;', hide: '' };
  const ahead = range(keys).map((key) => `${key * spans}u`);
  return {
    columns: `let wanted = Columns(${ahead.join(', ')}) + j${spans === 1 ? '' : ' + first'};
    let columns = min(wanted, Columns(position));`,
    hide: `scores = select(Scores(${LOWEST}), scores, wanted <= Columns(position));`,
  };
}

/**
 * The statements from `unit`, `slot`, `position`, and the rows `keys` and `values` of the cache, to a row
 * of `out`. A span has every `spans`th column: `best` is their highest score, `weight` the sum of
 * exp(score - best), and the `sum`s are those of exp(score - best) * value.
 */
export function attentionMain(body: AttentionBody): string {
  const { span, spans, keys, begin } = body;
  const alone = span === 1;
  const loads = loadsOf(body);
  const eachKey = range(keys);
  const of = componentOf(keys);
  /** A statement for each read of each key. */
  const perRead = (statement: (key: number, i: number) => string): string =>
    eachKey.flatMap((key) => loads.map((i) => statement(key, i))).join('\n    ');
  const at = (i: number): string => (alone ? `${i}u` : `at${i}`);
  const read = (rows: string, key: number, i: number): string =>
    `kv_at(${rows} + ${of('columns', key)}, ${at(i)})`;
  // Values are on their way while scores are added up; one invocation alone has no registers for them.
  const value = (key: number, i: number): string =>
    alone ? read('values', key, i) : `value${key}_${i}`;
  const added = (i: number): string =>
    eachKey.map((key) => `${of('p', key)} * ${value(key, i)}`).join(' + ');
  const { columns, hide } = columnsOf(body);
  return `
  ${alone && spans === 1 ? '' : `let member = lane % ${span}u;`}
  ${spans === 1 ? '' : `let first = lane / ${span}u;`}
  ${loads.map((i) => query(body, i)).join('\n  ')}
  ${loads.map((i) => `var sum${i} = Values();`).join('\n  ')}
  var best = ${LOWEST};
  var weight = 0.0;
  for (var j = ${begin}; j <= position; j += ${spans * keys}u) {
    ${columns}
    var scores: Scores;
    ${perRead((key, i) => `${of('scores', key)} = add_product(${i === 0 ? '0.0' : of('scores', key)}, q${i}, ${read('keys', key, i)});`)}
    ${alone ? '' : perRead((key, i) => `let ${value(key, i)} = ${read('values', key, i)};`)}
    ${alone ? '' : 'scores = over_span(scores, lane);'}
    scores *= SCALE;
    ${hide}
    let top = ${eachKey.reduce((top, key) => `max(${top}, ${of('scores', key)})`, 'best')};
    let fade = exp(best - top);
    let p = exp(scores - top);
    best = top;
    weight = weight * fade + ${eachKey.map((key) => of('p', key)).join(' + ')};
    ${loads.map((i) => `sum${i} = sum${i} * fade + ${added(i)};`).join('\n    ')}
  }
  ${spans === 1 ? put(body) : merge(body)}`;
}

/** `at<i>` and `q<i>`: which values of a head the i-th read is of, past the end its last ones, times 0. */
function query(body: AttentionBody, i: number): string {
  const { span, pieces } = body;
  const parts = partsOf(body);
  const read = (at: string): string =>
    `Values(${parts.map((_, n) => `q_at(unit, ${at} * ${parts.length}u + ${n}u)`).join(', ')})`;
  if (span === 1) return `let q${i} = ${read(`${i}u`)};`;
  const place = `member + ${i * span}u`;
  if ((i + 1) * span <= pieces) return `let at${i} = ${place}; let q${i} = ${read(`at${i}`)};`;
  return `let at${i} = min(${place}, ${pieces - 1}u);
  let q${i} = ${read(`at${i}`)} * select(0.0, 1.0, ${place} < ${pieces}u);`;
}

/** What one span has is the result. */
function put(body: AttentionBody): string {
  const { span, pieces } = body;
  const parts = partsOf(body);
  return loadsOf(body)
    .flatMap((i) =>
      parts.map((part, n) => {
        const place = span === 1 ? `${i}u` : `(member + ${i * span}u)`;
        const write = `out_put(unit, ${place} * ${parts.length}u + ${n}u, sum${i}${part} / weight);`;
        return (i + 1) * span <= pieces ? write : `if (${place} < ${pieces}u) { ${write} }`;
      }),
    )
    .join('\n  ');
}

/** What the spans of a workgroup have, each weighed by its best score. */
function merge(body: AttentionBody): string {
  const { span, spans, pieces } = body;
  const parts = partsOf(body);
  const summed = `${summedOf(body)}u`;
  const kept = loadsOf(body).flatMap((i) =>
    parts.map((part, n) => {
      const place = `(member + ${i * span}u) * ${parts.length}u + ${n}u`;
      return `sums[first * ${summed} + ${place}] = sum${i}${part};`;
    }),
  );
  return `if (member == 0u) { bests[first] = best; weights[first] = weight; }
  ${kept.join('\n  ')}
  workgroupBarrier();
  for (var i = lane; i < ${pieces * parts.length}u; i += ${spans * span}u) {
    var top = bests[0];
    for (var s = 1u; s < ${spans}u; s++) { top = max(top, bests[s]); }
    var sum = vec4f();
    var whole = 0.0;
    for (var s = 0u; s < ${spans}u; s++) {
      let scale = exp(bests[s] - top);
      sum += scale * sums[s * ${summed} + i];
      whole += scale * weights[s];
    }
    out_put(unit, i, sum / whole);
  }`;
}
