/** How the spans of a workgroup put together what each has of a row and head, as WGSL. */
import { range } from '../kernel.ts';

export interface Merge {
  /** Invocations of the workgroup. */
  readonly size: number;
  /** Neighbouring invocations of a span. */
  readonly span: number;
  /** Neighbouring invocations that exchange what they have without workgroup memory; 1 for none. */
  readonly lanes: number;
  /** Variables of an invocation, vec4f, and the place of each among those of its span. */
  readonly held: readonly { readonly name: string; readonly at: string }[];
  /** Places of a span, of four values each. */
  readonly stored: number;
  /** Groups of four values in a head: the first of those places. */
  readonly quads: number;
}

/** Parts that are put together at once, each by reads of its own. */
const MOST_AT_ONCE = 16;

/** Neighbouring invocations that have the same after the exchange within subgroups. */
const widthOf = ({ size, span, lanes }: Pick<Merge, 'size' | 'span' | 'lanes'>): number =>
  Math.max(span, Math.min(lanes, size));

/** Parts of a row and head that go through workgroup memory; 0 where there is one alone. */
export function mergedParts(sizes: Pick<Merge, 'size' | 'span' | 'lanes'>): number {
  const parts = sizes.size / widthOf(sizes);
  return parts === 1 ? 0 : parts;
}

/** Declarations before `main`. */
export function mergeLib(by: Merge): string {
  const parts = mergedParts(by);
  return parts === 0
    ? ''
    : `
var<workgroup> bests: array<f32, ${parts}>;
var<workgroup> weights: array<f32, ${parts}>;
var<workgroup> sums: array<vec4f, ${parts * by.stored}>;`;
}

/**
 * The statements from `best`, `weight` and the sums of each span to a row of `out`: within subgroups by
 * exchange, then through workgroup memory, halving the parts while they are many. Each part is weighed by
 * its best score.
 */
export function merge(by: Merge): string {
  const parts = mergedParts(by);
  const width = widthOf(by);
  const within = withinSubgroups(by, width);
  if (parts === 0) return `${within}\n  ${put(by)}`;
  const halvings = range(Math.ceil(Math.log2(Math.max(1, parts / MOST_AT_ONCE)))).map(
    (i) => parts / 2 ** (i + 1),
  );
  const rest = halvings.at(-1) ?? parts;
  const keeps = width === by.span ? '' : `lane % ${width}u < ${by.span}u`;
  const first = halvings[0] === undefined ? '' : `part >= ${halvings[0]}u`;
  return `${within}
  let part = lane / ${width}u;
  ${block([first, keeps], keep(by))}
  workgroupBarrier();
  ${halvings.map((half, i) => halving(by, half, halvings[i + 1], keeps)).join('\n  ')}
  ${together(by, rest)}`;
}

/** Statements under all of the conditions that there are. */
function block(conditions: readonly string[], statements: string): string {
  const all = conditions.filter((condition) => condition !== '').join(' && ');
  return all === '' ? statements : `if (${all}) {\n  ${statements}\n  }`;
}

/** Spans of a subgroup: afterwards all have the same. */
function withinSubgroups({ span, held }: Merge, width: number): string {
  const masks = range(Math.log2(width / span)).map((bit) => span * 2 ** bit);
  if (masks.length === 0) return '';
  const from = (name: string, mask: number): string => `subgroupShuffleXor(${name}, ${mask}u)`;
  const names = ['weight', ...held.map(({ name }) => name)];
  return `let own = best;
  ${masks.map((mask) => `best = max(best, ${from('best', mask)});`).join('\n  ')}
  let share = exp2(own - best);
  ${names.map((name) => `${name} *= share;`).join('\n  ')}
  ${masks.flatMap((mask) => names.map((name) => `${name} += ${from(name, mask)};`)).join('\n  ')}`;
}

/** What one span has is the result. */
function put({ span, held, stored, quads }: Merge): string {
  const all = held.map(({ name, at }) => {
    const write = `out_put(unit, ${at}, ${name} / weight);`;
    return stored === quads ? write : `if (${at} < ${quads}u) { ${write} }`;
  });
  // Other spans, if any, have the same.
  return block([`lane < ${span}u`], all.join('\n  '));
}

/** What a part has goes to its place. */
const keep = ({ held, stored }: Merge): string => `if (member == 0u) {
    bests[part] = best;
    weights[part] = weight;
  }
  ${held.map(({ name, at }) => `sums[part * ${stored}u + ${at}] = ${name};`).join('\n  ')}`;

/** The parts below `half` take in one more each; those that are not needed in the next turn are kept. */
function halving(by: Merge, half: number, next: number | undefined, keeps: string): string {
  const { held, stored } = by;
  const kept = block([next === undefined ? '' : `part >= ${next}u`, keeps], keep(by));
  return `if (part < ${half}u) {
    let other = part + ${half}u;
    let top = max(best, bests[other]);
    let own_share = exp2(best - top);
    let share = exp2(bests[other] - top);
    best = top;
    weight = weight * own_share + weights[other] * share;
    ${held.map(({ name, at }) => `${name} = ${name} * own_share + sums[other * ${stored}u + ${at}] * share;`).join('\n    ')}
    ${kept}
  }
  workgroupBarrier();`;
}

/** The parts that are left make the result: each invocation four values of it. */
function together({ size, stored, quads }: Merge, parts: number): string {
  const all = range(parts);
  const others = all.slice(1);
  const lines = (line: (s: number) => string): string => others.map(line).join('\n    ');
  const isLoop = quads > size;
  return `${isLoop ? `for (var i = lane; i < ${quads}u; i += ${size}u)` : `if (lane < ${quads}u)`} {
    ${isLoop ? '' : 'let i = lane;'}
    var top = bests[0];
    ${lines((s) => `top = max(top, bests[${s}]);`)}
    ${all.map((s) => `let share${s} = exp2(bests[${s}] - top);`).join('\n    ')}
    var whole = share0 * weights[0];
    ${lines((s) => `whole += share${s} * weights[${s}];`)}
    var sum = share0 * sums[i];
    ${lines((s) => `sum += share${s} * sums[${s * stored}u + i];`)}
    out_put(unit, i, sum / whole);
  }`;
}
