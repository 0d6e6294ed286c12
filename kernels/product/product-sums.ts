/** The end of products of few rows: sums of invocations become sums of units, and are stored. */
import { range } from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import { block, type Layout, QUAD, sumsOf } from './product-loop.ts';

/** What says where a tile is, in calls of `store_item`. */
const placeOf = ({ split }: Layout): readonly string[] => [
  ...(split > 1 ? ['slice'] : []),
  'first',
  'unit',
];

/** `fn store_item(slice, first, unit, item, sums)`: stores a value of a tile, if there is such a value. */
export function storeItem(layout: Layout): string {
  const { weights, rows, rowTile, outDim, unitQuads, firstQuad, split } = layout;
  const sums = weights.map((w) => `${w}_sum`);
  const params = [
    ...[...placeOf(layout), 'item'].map((name) => `${name}: u32`),
    ...sums.map((name) => `${name}: vec4f`),
  ];
  return `fn store_item(${params.join(', ')}) {
  let row = first + item / ${unitQuads}u;
  let i = unit * ${unitQuads}u + item % ${unitQuads}u;
  if (item < ${rowTile * unitQuads}u && row < ${rows}u && i < ${quads(outDim)}u) {
    store(${split > 1 ? `slice * ${rows}u + ` : ''}row, ${firstQuad}u + i, ${sums.join(', ')});
  }
}`;
}

/** Gives one of two sums to the neighbour whose place differs by `mask`, and takes its share of the other. */
export const TRADE = `fn trade(low: vec4f, high: vec4f, keeps_high: bool, mask: u32) -> vec4f {
  return select(low, high, keeps_high) + subgroupShuffleXor(select(high, low, keeps_high), mask);
}`;

/**
 * Sums every value over spans of neighbouring invocations. In each of log2(span) exchanges an invocation
 * gives half of its values to a neighbour and takes that one's other half, so n values cost about n
 * exchanges instead of n log2(span), and the sums end up spread over the span, ready to be stored.
 * What is left when one value remains is exchanged whole. Declares `item`, the number of the first value
 * that this invocation is left with.
 */
function overSpan(layout: Layout) {
  const { weights, span } = layout;
  const sums = weights.map((w) => sumsOf(layout).flatMap((s) => (s.w === w ? [s.name] : [])));
  const count = sums[0]?.length ?? 0;
  let n = span === 1 ? count : 2 ** Math.ceil(Math.log2(count));
  let left = sums.map((names) => [...names, ...range(n - count).map(() => 'vec4f()')]);
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
  /** What is left: the values of all weights, one number after another. */
  const values = range(n).map((j) => left.map((names) => names[j] ?? ''));
  return { lines, values, copies };
}

/** The end of a kernel whose units have one span each. */
export function storeSums(layout: Layout): readonly string[] {
  const { rowTile, norm, quad } = layout;
  const total = (name: string, scale: string): string => {
    const [a, b, c, d] = range(QUAD).map((share) => `${name}_${share}${scale}`);
    return `let ${name} = (${a} + ${c}) + (${b} + ${d});`;
  };
  const { lines, values, copies } = overSpan(layout);
  return [
    ...(norm ? range(rowTile).map((r) => `let scale${r} = scale_of(over_span(square${r}));`) : []),
    ...sumsOf(layout).flatMap(({ name, row }) => {
      if (quad) return [total(name, norm ? ` * scale${row}` : '')];
      return norm ? [`${name} *= scale${row};`] : [];
    }),
    ...lines,
    ...(copies > 1 ? [`if ((lane & ${copies - 1}u) != 0u) { return; }`] : []),
    ...values.map(
      (sums, j) => `store_item(${[...placeOf(layout), `item + ${j}u`, ...sums].join(', ')});`,
    ),
  ];
}

/** Workgroup memory for kernels whose units have several spans, and the sums over it in their order. */
export function partsLib({ units, parts, rowTile, unitQuads, weights, norm }: Layout): string {
  const lib = (name: string, type: string, count: number): string => `
var<workgroup> ${name}_parts: array<${type}, ${units * parts * count}>;
fn ${name}_total(team: u32, item: u32) -> ${type} {
  var total = ${type}();
  for (var p = 0u; p < ${parts}u; p++) {
    total += ${name}_parts[(team * ${parts}u + p) * ${count}u + item];
  }
  return total;
}`;
  const sums = weights.map((w) => lib(w, 'vec4f', rowTile * unitQuads));
  return [...sums, ...(norm ? [lib('square', 'f32', rowTile)] : [])].join('');
}

/** The end of a kernel whose units have several spans. */
export function sumParts(layout: Layout): readonly string[] {
  const { weights, norm, span, parts, rowTile, unitQuads } = layout;
  const items = rowTile * unitQuads;
  const { lines, values, copies } = overSpan(layout);
  const writes = copies > 1 ? `(lane & ${copies - 1}u) == 0u && ` : '';
  const scale = norm ? ` * scale_of(square_total(team, value / ${unitQuads}u))` : '';
  const totals = weights.map((w) => `${w}_total(team, value)${scale}`);
  return [
    `let part = lane / ${span}u;`,
    ...range(norm ? rowTile : 0).map(
      (r) => `square_parts[part * ${rowTile}u + ${r}u] = over_span(square${r});`,
    ),
    ...lines,
    ...values.flatMap((sums, j) =>
      block(
        `if (${writes}item + ${j}u < ${items}u)`,
        sums.map((sum, w) => `${weights[w]}_parts[part * ${items}u + item + ${j}u] = ${sum};`),
      ),
    ),
    'workgroupBarrier();',
    `let team = lane / ${span * parts}u;`,
    ...block(`for (var value = share; value < ${items}u; value += ${span * parts}u)`, [
      `store_item(${[...placeOf(layout), 'value', ...totals].join(', ')});`,
    ]),
  ];
}
