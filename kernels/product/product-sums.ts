/** The end of products in registers: shares of sums become sums, and are stored four columns at a time. */
import { range } from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import { type Layout, ownRow, squaresOf, sumSize, sumsOf } from './product-loop.ts';

/** The functions that `storeSums` calls, and workgroup memory for the sums of parts. */
export function sumsLib(layout: Layout): string {
  const { serial, span, weights, normEps } = layout;
  const type = sumType(layout);
  return `${span > 1 ? tradeLib(type) : ''}
${serial ? storeItemLib(layout) : weights.map((name) => totalLib(layout, name, type)).join('')}
${serial || normEps === undefined ? '' : squareLib(layout)}`;
}

/** The vector that holds the sums of a row. */
const sumType = (layout: Layout): string => `vec${sumSize(layout)}f`;

/** Whether exchanges want more values than there are: a power of two. */
const isPadded = (span: number, count: number): boolean => span > 1 && (count & (count - 1)) !== 0;

/** Statements where all of these conditions hold that there are. */
const when = (conditions: readonly (string | false)[], statements: string): string => {
  const all = conditions.filter(Boolean).join(' && ');
  return all ? `if (${all}) { ${statements} }` : statements;
};

/** Stores the columns `i` of a kernel's own in `row`, where there are both. */
const storeOne = (
  { rows, rowTile, outDim, firstQuad, split }: Layout,
  isValue: string | false,
  sums: string,
): string =>
  when(
    [isValue, rows % rowTile > 0 && `row < ${rows}u`, `i < ${quads(outDim)}u`],
    `store(${split > 1 ? `group.z * ${rows}u + ` : ''}row, ${firstQuad}u + i, ${sums});`,
  );

/** `fn store_item(first, unit, item)`: stores one of the values of a team, if it is of a row and column. */
function storeItemLib(layout: Layout): string {
  const { weights, rowTile, columns, split, span } = layout;
  const n = columns / 4;
  const sums = weights.map((w) => `${w}_sum`);
  const group = split > 1 ? 'group: vec3u, ' : '';
  const isValue = isPadded(span, rowTile * n) && `item < ${rowTile * n}u`;
  return `
fn store_item(${group}first: u32, unit: u32, item: u32, ${sums.map((sum) => `${sum}: vec4f`).join(', ')}) {
  let row = first + item / ${n}u;
  let i = unit * ${n}u + item % ${n}u;
  ${storeOne(layout, isValue, sums.join(', '))}
}`;
}

/** Gives one of two sums to the neighbour whose place differs by `mask`, and takes its share of the other. */
const tradeLib = (type: string): string => `
fn trade(low: ${type}, high: ${type}, keeps_high: bool, mask: u32) -> ${type} {
  return select(low, high, keeps_high) + subgroupShuffleXor(select(high, low, keeps_high), mask);
}`;

/** `fn NAME_total(row, quad)`: the sums of a row in four columns of a tile, from the parts in their order. */
function totalLib({ parts, teams, rowTile, columns }: Layout, name: string, type: string): string {
  const each = rowTile * teams;
  const perQuad = 4 / columns;
  const all = `${name}_parts`;
  return `
var<workgroup> ${all}: array<${type}, ${parts * each}>;
fn ${name}_total(row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  for (var part = 0u; part < ${parts}u; part++) {
    let at = part * ${each}u + row * ${teams}u + quad * ${perQuad}u;
    total += ${perQuad === 1 ? `${all}[at]` : `vec4f(${all}[at], ${all}[at + 1u])`};
  }
  return total;
}`;
}

/** `fn square_total(row)`: the sum of a row's squares, from the parts in their order. */
const squareLib = ({ parts, rowTile }: Layout): string => `
var<workgroup> square_parts: array<f32, ${parts * rowTile}>;
fn square_total(row: u32) -> f32 {
  var total = 0.0;
  for (var part = 0u; part < ${parts}u; part++) { total += square_parts[part * ${rowTile}u + row]; }
  return total;
}`;

/**
 * Sums every value over spans of neighbouring invocations. In each of log2(span) exchanges an invocation
 * gives half of its values to a neighbour and takes that one's other half, so n values cost about n
 * exchanges instead of n log2(span), and the sums end up spread over the span, ready to be stored.
 * What is left when one value remains is exchanged whole. Declares `item`, the number of the first value
 * that this invocation is left with.
 */
function overSpan(layout: Layout) {
  const { span, weights } = layout;
  let left = weights.map((name) => sumsOf(layout, name));
  let n = left[0]?.length ?? 0;
  const missing = isPadded(span, n) ? 2 ** Math.ceil(Math.log2(n)) - n : 0;
  n += missing;
  left = left.map((names) => [...names, ...range(missing).map(() => `${sumType(layout)}()`)]);
  const lines: string[] = [];
  const item = ['0u'];
  let copies = 1;
  for (let mask = span / 2; mask >= 1; mask /= 2) {
    const isLast = n === 1;
    if (isLast) copies *= 2;
    else {
      n /= 2;
      lines.push(`let high${mask} = (lane & ${mask}u) != 0u;`);
      item.push(`select(0u, ${n}u, high${mask})`);
    }
    left = left.map((names, w) =>
      range(n).map((j) => {
        const [low, high, kept] = [names[j], names[j + n], `${weights[w]}_kept${mask}_${j}`];
        const sum = isLast
          ? `${low} + subgroupShuffleXor(${low}, ${mask}u)`
          : `trade(${low}, ${high}, high${mask}, ${mask}u)`;
        lines.push(`let ${kept} = ${sum};`);
        return kept;
      }),
    );
  }
  lines.push(`let item = ${item.join(' + ')};`);
  return { lines, left, kept: range(n), copies };
}

/** The end of `main`. */
export const storeSums = (layout: Layout): string =>
  layout.serial ? storeAlone(layout) : storeTogether(layout);

/** Without barriers: whoever is left with a sum stores it. */
function storeAlone(layout: Layout): string {
  const { weights, normEps, rowTile, columns, split } = layout;
  const { lines, left, kept, copies } = overSpan(layout);
  const scales = range(normEps === undefined ? 0 : rowTile).flatMap((r) => [
    `let scale${r} = scale_of(over_span(square${r}));`,
    ...weights.flatMap((w) => range(columns / 4).map((v) => `${w}_sum${r}_${v} *= scale${r};`)),
  ]);
  const stores = kept.map((j) => {
    const sums = left.map((names) => names[j]).join(', ');
    return `store_item(${split > 1 ? 'group, ' : ''}first, unit, item + ${j}u, ${sums});`;
  });
  const leave = copies > 1 ? `if ((lane & ${copies - 1}u) != 0u) { return; }` : '';
  return [...scales, ...lines, leave, ...stores].join('\n  ');
}

/** Through workgroup memory: the sums of parts are added, and one invocation stores four columns of a row. */
function storeTogether(layout: Layout): string {
  const { weights, normEps, span, parts, teams, rowTile, columns } = layout;
  const { lines, left, kept, copies } = overSpan(layout);
  const puts = kept.map((j) => {
    const at = `part * ${rowTile * teams}u + (item + ${j}u) * ${teams}u + team`;
    const put = weights.map((name, w) => `${name}_parts[${at}] = ${left[w]?.[j]};`);
    return when(
      [
        copies > 1 && `(lane & ${copies - 1}u) == 0u`,
        isPadded(span, rowTile) && `item + ${j}u < ${rowTile}u`,
      ],
      put.join('\n'),
    );
  });
  const squares = range(squaresOf(layout)).map((j) => {
    const place = ownRow(layout, j);
    const put = when(
      [span > 1 && `lane % ${span}u == 0u`, rowTile % teams > 0 && `${place} < ${rowTile}u`],
      `square_parts[part * ${rowTile}u + ${place}] = all${j};`,
    );
    return `let all${j} = over_span(square${j});\n${put}`;
  });
  const quadsOfTile = (columns * teams) / 4;
  const scale = normEps === undefined ? '' : ' * scale_of(square_total(own))';
  const totals = weights.map((w) => `${w}_total(own, quad)${scale}`).join(', ');
  return `${[...lines, ...puts, ...squares].join('\n  ')}
  workgroupBarrier();
  for (var made = lane; made < ${rowTile * quadsOfTile}u; made += ${span * parts * teams}u) {
    let own = made / ${quadsOfTile}u;
    let quad = made % ${quadsOfTile}u;
    let row = first + own;
    let i = columns * ${quadsOfTile}u + quad;
    ${storeOne(layout, false, totals)}
  }`;
}
