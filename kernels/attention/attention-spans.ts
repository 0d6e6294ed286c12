/** Attention by a workgroup for each row and head, whose spans each take some of the keys, as WGSL. */
import { ceilDiv, range } from '../kernel.ts';
import { fourHalves } from '../lib/accessors.ts';
import type { Width } from '../lib/weights.ts';
import { componentOf, keysLib, LOWEST } from './attention-body.ts';
import { type Merge, merge, mergeLib } from './attention-merge.ts';

export interface AttentionSpans {
  readonly kvDtype: 'f32' | 'f16';
  /** Invocations of the workgroup. */
  readonly size: number;
  /** Neighbouring invocations that hold a key together. */
  readonly span: number;
  /** Keys that a span takes at once. */
  readonly keys: number;
  /** Turns whose keys and values are on their way while those of one are added. */
  readonly ahead: number;
  /** Values of a head that are read at once. */
  readonly width: Width;
  /** Reads of a head. */
  readonly pieces: number;
  /** WGSL: the first column that is attended to. */
  readonly begin: string;
  /** Neighbouring invocations that exchange what they have without workgroup memory; 1 for none. */
  readonly lanes: number;
}

/** Reads of an invocation, of each key. */
const loadsOf = ({ pieces, span }: AttentionSpans): readonly number[] =>
  range(ceilDiv(pieces, span));

/** Groups of four values in a read. */
const quadsOf = ({ width }: AttentionSpans): number => width / 4;

function mergeOf(spans: AttentionSpans): Merge {
  const { size, span, lanes, pieces } = spans;
  const loads = loadsOf(spans);
  const quads = quadsOf(spans);
  const held = loads.flatMap((i) =>
    range(quads).map((n) => ({
      name: `sum${i}${'ab'.charAt(n)}`,
      at: `(member + ${i * span}u) * ${quads}u + ${n}u`,
    })),
  );
  return { size, span, lanes, held, stored: span * loads.length * quads, quads: pieces * quads };
}

/** Declarations before `main`. */
export const spansLib = (spans: AttentionSpans): string => `
${keysLib(spans.keys)}
${spans.span === 1 ? '' : exchange(spans)}
${mergeLib(mergeOf(spans))}`;

/** `fn over_span(share: Scores, lane: u32) -> Scores`: the sum of the shares of a span, in all of it. */
function exchange({ size, span, lanes }: AttentionSpans): string {
  const masks = range(Math.log2(span)).map((bit) => 2 ** bit);
  return lanes > 1
    ? `
fn over_span(share: Scores, lane: u32) -> Scores {
  var sum = share;
  ${masks.map((mask) => `sum += subgroupShuffleXor(sum, ${mask}u);`).join('\n  ')}
  return sum;
}`
    : `
var<workgroup> shares: array<Scores, ${size}>;
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

/** Four values of what was read as `words`: WGSL of vec4f. */
function four({ kvDtype }: AttentionSpans, words: string, n: number): string {
  if (kvDtype === 'f32') return words;
  return n === 0
    ? fourHalves('f16', `${words}.x`, `${words}.y`)
    : fourHalves('f16', `${words}.z`, `${words}.w`);
}

/**
 * The statements from `unit`, `slot`, `position`, and the rows `keys` and `values` of the cache, to a row
 * of `out`. A span has every so many columns: `best` is their highest score, `weight` the sum of
 * 2^(score - best), and the `sum`s are those of 2^(score - best) * value.
 *
 * Where workgroups are few, how long reads take decides. So all reads of a turn stand before what needs
 * them, what is read stays as it was stored until then, and the reads of `ahead` more turns are under way:
 * each turn of those has variables of its own, which are read into again as soon as they were added.
 */
export function spansMain(spans: AttentionSpans): string {
  const { size, span, keys, ahead, begin } = spans;
  const count = size / span;
  const step = count * keys;
  const columns = range(keys).map((key) => `${key * count}u`);
  const turns = range(ahead + 1);
  return `
  let member = lane % ${span}u;
  let columns = Columns(${columns.join(', ')}) + lane / ${span}u;
  let last = Columns(position);
  ${loadsOf(spans)
    .map((i) => place(spans, i))
    .join('\n  ')}
  ${sumsOf(spans)
    .map(({ name }) => `var sum${name} = vec4f();`)
    .join('\n  ')}
  var best = ${LOWEST};
  var weight = 0.0;
  let begin = ${begin};
  ${ahead === 0 ? '' : turns.map((turn) => `let begin${turn} = min(columns + begin + ${turn * step}u, last);\n  ${reads(spans, turn, 'var ', `begin${turn}`)}`).join('\n  ')}
  for (var j = begin; j <= position; j += ${turns.length * step}u) {
    ${turns.map((turn) => turnOf(spans, turn, step)).join('\n    ')}
  }
  ${merge(mergeOf(spans))}`;
}

/** The sums of an invocation: of which read and which four values of it. */
const sumsOf = (spans: AttentionSpans): { i: number; n: number; name: string }[] =>
  loadsOf(spans).flatMap((i) =>
    range(quadsOf(spans)).map((n) => ({ i, n, name: `${i}${'ab'.charAt(n)}` })),
  );

/** What is read of a key, or of its value, in one of the turns. */
const wordsOf = (part: 'key' | 'value', turn: number, key: number, i: number): string =>
  `${part}${turn}_${key}_${i}`;

/** Reads all keys and values of a turn, at `columns`. */
function reads(spans: AttentionSpans, turn: number, declare: string, columns: string): string {
  const column = componentOf(spans.keys);
  const all = (['key', 'value'] as const).flatMap((part) =>
    range(spans.keys).flatMap((key) =>
      loadsOf(spans).map((i) => {
        const at = `${part}s_at${i} + ${column(columns, key)} * ${spans.pieces}u`;
        return `${declare}${wordsOf(part, turn, key, i)} = kv[${at}];`;
      }),
    ),
  );
  return all.join('\n    ');
}

/** Adds the columns from `j` + `turn` * `step` on. */
function turnOf(spans: AttentionSpans, turn: number, step: number): string {
  const { span, keys, ahead } = spans;
  const eachKey = range(keys);
  const sums = sumsOf(spans);
  const of = componentOf(keys);
  const score = (key: number): string =>
    sums
      .map(({ i, n, name }) => `dot(q${name}, ${four(spans, wordsOf('key', turn, key, i), n)})`)
      .join(' + ');
  const added = (i: number, n: number): string =>
    eachKey
      .map((key) => `${of('p', key)} * ${four(spans, wordsOf('value', turn, key, i), n)}`)
      .join(' + ');
  const all = (ahead + 1) * step;
  const statements = `let wanted = columns + j + ${turn * step}u;
    ${ahead === 0 ? `let read = min(wanted, last);\n    ${reads(spans, turn, 'let ', 'read')}` : ''}
    var scores = Scores(${eachKey.map(score).join(', ')});
    ${span === 1 ? '' : 'scores = over_span(scores, lane);'}
    scores = select(Scores(${LOWEST}), scores, wanted <= last);
    let top = ${eachKey.reduce((top, key) => `max(${top}, ${of('scores', key)})`, 'best')};
    let fade = exp2(best - top);
    let p = exp2(scores - top);
    best = top;
    weight = weight * fade + ${eachKey.map((key) => of('p', key)).join(' + ')};
    ${sums.map(({ i, n, name }) => `sum${name} = sum${name} * fade + ${added(i, n)};`).join('\n    ')}
    ${ahead === 0 ? '' : `if (j + ${turn * step + all}u <= position) {\n    let read = min(wanted + ${all}u, last);\n    ${reads(spans, turn, '', 'read')}\n    }`}`;
  return turn === 0
    ? statements
    : `if (j + ${turn * step}u <= position) {\n    ${statements}\n    }`;
}

/** Where in the cache and in the query an invocation's i-th read is; past the end of a head, its last, times 0. */
function place(spans: AttentionSpans, i: number): string {
  const { span, pieces } = spans;
  const isWhole = (i + 1) * span <= pieces;
  const wanted = `member + ${i * span}u`;
  const at = isWhole ? wanted : `min(${wanted}, ${pieces - 1}u)`;
  const scale = isWhole ? 'SCALE' : `select(0.0, SCALE, ${wanted} < ${pieces}u)`;
  const count = quadsOf(spans);
  return `let at${i} = ${at};
  let keys_at${i} = keys * ${pieces}u + at${i};
  let values_at${i} = values * ${pieces}u + at${i};
  ${range(count)
    .map((n) => `let q${i}${'ab'.charAt(n)} = q_at(unit, at${i} * ${count}u + ${n}u) * ${scale};`)
    .join('\n  ')}`;
}
