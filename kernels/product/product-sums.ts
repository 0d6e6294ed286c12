/** The end of products of few rows: shares of sums become sums, and are stored four columns at a time. */
import { range } from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import { type Layout, sumSize, sumsOf } from './product-loop.ts';

/** Quads of columns whose sums are stored together: those of a workgroup, or of a team without barriers. */
const quadsOf = ({ columns, serial, teams }: Layout): number =>
  (serial ? columns : columns * teams) / 4;

/** Vectors of sums that a part has in workgroup memory. */
const vectorsOf = (layout: Layout): number =>
  (layout.rowTile * layout.columns * layout.teams) / sumSize(layout);

/** Gives one of two sums to the neighbour whose place differs by `mask`, and takes its share of the other. */
const trade = (layout: Layout): string => {
  const sum = `vec${sumSize(layout)}f`;
  return `
fn trade(low: ${sum}, high: ${sum}, keeps_high: bool, mask: u32) -> ${sum} {
  return select(low, high, keeps_high) + subgroupShuffleXor(select(high, low, keeps_high), mask);
}`;
};

/** The functions that `storeSums` calls, and workgroup memory for the sums of parts. */
export function sumsLib(layout: Layout): string {
  const { weights, rows, rowTile, outDim, firstQuad, split, span, serial, normEps } = layout;
  const norm = normEps !== undefined;
  const n = quadsOf(layout);
  const sums = weights.map((w) => `${w}_sum`);
  return `${span > 1 ? trade(layout) : ''}
${serial ? '' : weights.map((w) => partsLib(layout, w)).join('')}
${norm && !serial ? squaresLib(layout) : ''}
fn store_item(${split > 1 ? 'slice: u32, ' : ''}first: u32, quad: u32, item: u32, ${sums.map((s) => `${s}: vec4f`).join(', ')}) {
  let row = first + item / ${n}u;
  let i = quad + item % ${n}u;
  if (item < ${rowTile * n}u && row < ${rows}u && i < ${quads(outDim)}u) {
    store(${split > 1 ? `slice * ${rows}u + ` : ''}row, ${firstQuad}u + i, ${sums.join(', ')});
  }
}`;
}

/** `fn NAME_total(item)`: four sums of a row, from the parts in their order. */
function partsLib(layout: Layout, name: string): string {
  const size = sumSize(layout);
  const vectors = vectorsOf(layout);
  const end = layout.parts * vectors;
  const parts = `${name}_parts`;
  return `
var<workgroup> ${parts}: array<vec${size}f, ${end}>;
fn ${name}_total(item: u32) -> vec4f {
  var total = vec4f();
  for (var at = item * ${4 / size}u; at < ${end}u; at += ${vectors}u) {
    total += ${size === 4 ? `${parts}[at]` : `vec4f(${parts}[at], ${parts}[at + 1u])`};
  }
  return total;
}`;
}

/** Every team has the squares of its rows; those of the first are added. */
const squaresLib = ({ parts, teams, rowTile }: Layout): string => `
var<workgroup> square_parts: array<f32, ${teams * parts * rowTile}>;
fn square_total(row: u32) -> f32 {
  var total = 0.0;
  for (var at = row; at < ${parts * rowTile}u; at += ${rowTile}u) { total += square_parts[at]; }
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
  const { weights, span } = layout;
  const count = sumsOf(layout, '').length;
  let n = span === 1 ? count : 2 ** Math.ceil(Math.log2(count));
  const none = range(n - count).map(() => `vec${sumSize(layout)}f()`);
  let left = weights.map((w) => [...sumsOf(layout, w), ...none]);
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
  return { lines, left, count: n, copies };
}

/** The end of `main`. */
export function storeSums(layout: Layout): string {
  const { weights, normEps, span, parts, teams, rowTile, serial } = layout;
  const norm = normEps !== undefined;
  const perRow = layout.columns / sumSize(layout);
  const { lines, left, count, copies } = overSpan(layout);
  const kept = range(count);
  const place = layout.split > 1 ? 'slice, first' : 'first';
  if (serial) {
    const scaled = weights.flatMap((w) =>
      sumsOf(layout, w).map((sum, i) => `${sum} *= scale${Math.floor(i / perRow)};`),
    );
    const scales = range(rowTile).map((r) => `let scale${r} = scale_of(over_span(square${r}));`);
    const stores = kept.map((j) => {
      const sums = left.map((names) => names[j]).join(', ');
      return `store_item(${place}, unit * ${quadsOf(layout)}u, item + ${j}u, ${sums});`;
    });
    const leave = `if ((lane & ${copies - 1}u) != 0u) { return; }`;
    const scale = norm ? [...scales, ...scaled] : [];
    return [...scale, ...lines, copies > 1 ? leave : '', ...stores].join('\n  ');
  }
  const writes = copies > 1 ? `(lane & ${copies - 1}u) == 0u && ` : '';
  const vectors = vectorsOf(layout);
  const puts = kept.map((j) => {
    const at = `part * ${vectors}u + (item + ${j}u) * ${teams}u + team`;
    const put = left.map((names, w) => `${weights[w]}_parts[${at}] = ${names[j]};`);
    return `if (${writes}item + ${j}u < ${rowTile * perRow}u) {\n${put.join('\n')}\n}`;
  });
  const n = quadsOf(layout);
  const scale = norm ? ` * scale_of(square_total(value / ${n}u))` : '';
  return `let team = lane / ${span * parts}u;
  let part = share / ${span}u;
  ${range(norm ? rowTile : 0)
    .map((r) => `square_parts[lane / ${span}u * ${rowTile}u + ${r}u] = over_span(square${r});`)
    .join('\n  ')}
  ${[...lines, ...puts].join('\n  ')}
  workgroupBarrier();
  for (var value = lane; value < ${rowTile * n}u; value += ${span * parts * teams}u) {
    store_item(${place}, columns * ${n}u, value, ${weights.map((w) => `${w}_total(value)${scale}`).join(', ')});
  }`;
}
