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
  /** Whether the next keys are on their way while some are added. */
  readonly ahead: boolean;
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
 * 2^(score - best), and the `sum`s are those of 2^(score - best) * value. All reads of a turn of the loop
 * stand before what needs them, and what is read stays as it was stored until then: where workgroups are
 * few, how long reads take decides.
 */
export function spansMain(spans: AttentionSpans): string {
  const { size, span, keys, ahead, begin, pieces } = spans;
  const count = size / span;
  const loads = loadsOf(spans);
  const quads = range(quadsOf(spans));
  const eachKey = range(keys);
  const of = componentOf(keys);
  const eachRead = (statement: (key: number, i: number) => string): string =>
    eachKey.flatMap((key) => loads.map((i) => statement(key, i))).join('\n    ');
  const sums = loads.flatMap((i) => quads.map((n) => ({ i, n, name: `${i}${'ab'.charAt(n)}` })));
  const reads = (declare: string, to: string, columns: string): string =>
    ['key', 'value']
      .map((part) =>
        eachRead(
          (key, i) =>
            `${declare}${to}${part}${key}_${i} = kv[${part}s_at${i} + ${of(columns, key)} * ${pieces}u];`,
        ),
      )
      .join('\n    ');
  const score = (key: number): string =>
    sums.map(({ i, n, name }) => `dot(q${name}, ${four(spans, `key${key}_${i}`, n)})`).join(' + ');
  const added = (i: number, n: number): string =>
    eachKey.map((key) => `${of('p', key)} * ${four(spans, `value${key}_${i}`, n)}`).join(' + ');
  const step = `${count * keys}u`;
  return `
  let member = lane % ${span}u;
  let columns = Columns(${eachKey.map((key) => `${key * count}u`).join(', ')}) + lane / ${span}u;
  let last = Columns(position);
  ${loads.map((i) => place(spans, i)).join('\n  ')}
  ${sums.map(({ name }) => `var sum${name} = vec4f();`).join('\n  ')}
  var best = ${LOWEST};
  var weight = 0.0;
  let begin = ${begin};
  ${ahead ? `let before = min(columns + begin, last);\n  ${reads('var ', '', 'before')}` : ''}
  for (var j = begin; j <= position; j += ${step}) {
    let wanted = columns + j;
    ${ahead ? `let next = min(wanted + ${step}, last);` : 'let read = min(wanted, last);'}
    ${ahead ? reads('let ', 'next_', 'next') : reads('let ', '', 'read')}
    var scores = Scores(${eachKey.map(score).join(', ')});
    ${span === 1 ? '' : 'scores = over_span(scores, lane);'}
    scores = select(Scores(${LOWEST}), scores, wanted <= last);
    let top = ${eachKey.reduce((top, key) => `max(${top}, ${of('scores', key)})`, 'best')};
    let fade = exp2(best - top);
    let p = exp2(scores - top);
    best = top;
    weight = weight * fade + ${eachKey.map((key) => of('p', key)).join(' + ')};
    ${sums.map(({ i, n, name }) => `sum${name} = sum${name} * fade + ${added(i, n)};`).join('\n    ')}
    ${ahead ? ['key', 'value'].map((part) => eachRead((key, i) => `${part}${key}_${i} = next_${part}${key}_${i};`)).join('\n    ') : ''}
  }
  ${merge(mergeOf(spans))}`;
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
