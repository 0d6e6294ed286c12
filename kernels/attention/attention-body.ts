/** Attention by one invocation for each row and head, as WGSL: for software adapters. */
import { range } from '../kernel.ts';
import { halvesOf, type Width } from '../lib/weights.ts';

export interface AttentionBody {
  /** Keys that are taken at once. */
  readonly keys: number;
  /** Values of a head that are read at once. */
  readonly width: Width;
  /** Reads of a head. */
  readonly pieces: number;
  /** WGSL: the first column that is attended to. */
  readonly begin: string;
}

/** Below any score: what weighs nothing beside one. */
export const LOWEST = 'f32(-3.0e38)';

/** The component of a vector that is of a key. */
export const componentOf =
  (keys: number) =>
  (vector: string, key: number): string =>
    keys === 1 ? vector : `${vector}.${'xyzw'.charAt(key)}`;

/** `Scores` and `Columns`: of the keys that are taken at once. */
export const keysLib = (keys: number): string => `
alias Scores = ${keys === 1 ? 'f32' : `vec${keys}f`};
alias Columns = ${keys === 1 ? 'u32' : `vec${keys}u`};`;

/** Declarations before `main`. */
export function attentionLib(body: AttentionBody): string {
  const { keys, width } = body;
  const dots = halvesOf(width).map((part) => `dot(a${part}, b${part})`);
  return `
alias Values = ${width === 4 ? 'vec4f' : 'mat2x4f'};
${keysLib(keys)}
fn add_product(sum: f32, a: Values, b: Values) -> f32 { return sum + ${dots.join(' + ')}; }`;
}

/**
 * The statements from `unit`, `slot`, `position`, and the rows `keys` and `values` of the cache, to a row
 * of `out`: `best` is the highest score so far, `weight` the sum of exp(score - best), and the `sum`s are
 * those of exp(score - best) * value.
 */
export function attentionMain(body: AttentionBody): string {
  const { keys, pieces, begin } = body;
  const eachKey = range(keys);
  const reads = range(pieces);
  const parts = halvesOf(body.width);
  const of = componentOf(keys);
  const read = (rows: string, key: number, i: number): string =>
    `kv_at(${rows} + ${of('columns', key)}, ${i}u)`;
  const query = (i: number): string =>
    `Values(${parts.map((_, n) => `q_at(unit, ${i}u * ${parts.length}u + ${n}u)`).join(', ')})`;
  const product = (key: number, i: number): string =>
    `add_product(${i === 0 ? '0.0' : of('scores', key)}, q${i}, ${read('keys', key, i)})`;
  const added = (i: number): string =>
    eachKey.map((key) => `${of('p', key)} * ${read('values', key, i)}`).join(' + ');
  // Of several columns those that are not attended to are hidden.
  const columns =
    keys === 1
      ? 'let columns = j;'
      : `let wanted = Columns(${eachKey.map((key) => `${key}u`).join(', ')}) + j;
    let columns = min(wanted, Columns(position));`;
  return `
  ${reads.map((i) => `let q${i} = ${query(i)};`).join('\n  ')}
  ${reads.map((i) => `var sum${i} = Values();`).join('\n  ')}
  var best = ${LOWEST};
  var weight = 0.0;
  for (var j = ${begin}; j <= position; j += ${keys}u) {
    ${columns}
    var scores: Scores;
    ${eachKey.flatMap((key) => reads.map((i) => `${of('scores', key)} = ${product(key, i)};`)).join('\n    ')}
    scores *= SCALE;
    ${keys === 1 ? '' : `scores = select(Scores(${LOWEST}), scores, wanted <= Columns(position));`}
    let top = ${eachKey.reduce((top, key) => `max(${top}, ${of('scores', key)})`, 'best')};
    let fade = exp(best - top);
    let p = exp(scores - top);
    best = top;
    weight = weight * fade + ${eachKey.map((key) => of('p', key)).join(' + ')};
    ${reads.map((i) => `sum${i} = sum${i} * fade + ${added(i)};`).join('\n    ')}
  }
  ${reads.flatMap((i) => parts.map((part, n) => `out_put(unit, ${i}u * ${parts.length}u + ${n}u, sum${i}${part} / weight);`)).join('\n  ')}`;
}
