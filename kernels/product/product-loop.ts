/** Products of few rows in registers: what an invocation loads and adds. */
import { ceilDiv, range } from '../kernel.ts';
import { halvesOf } from '../lib/weights.ts';
import { storeSums, sumsLib } from './product-sums.ts';
import type { WholeTile } from './product-tile.ts';
import { type Made, type Product, values } from './product-values.ts';

/** What the parts of the text share. */
export interface Layout extends Product, WholeTile {
  /** Whether sums are stored without workgroup memory. */
  readonly serial: boolean;
}

/** Columns in a vector of sums. */
export const sumSize = ({ columns }: Layout): number => Math.min(4, columns);

/** Names of the sums of a weight: a vector for each row and, of eight columns, each half. */
export const sumsOf = (layout: Layout, weight: string): readonly string[] =>
  range(layout.rowTile).flatMap((r) =>
    range(layout.columns / sumSize(layout)).map((v) => `${weight}_sum${r}_${v}`),
  );

/** A product by teams of invocations, each with some columns of up to `rowTile` rows. */
export function inRegisters(layout: Layout): Made {
  const { span, parts, teams, columns, rowTile } = layout;
  return {
    enable: span > 1 ? 'enable subgroups;' : '',
    lib: `${dotsLib(layout)}
${layout.normEps === undefined ? '' : squaresLib(layout)}
${sumsLib(layout)}`,
    builtins: '',
    // Spans of a team are neighbours of those of other teams.
    main: `let team = (lane / ${span}u)${parts > 1 ? ` % ${teams}u` : ''};
  let unit = columns * ${teams}u + team;
  ${layout.serial ? '' : `let part = ${parts > 1 ? `lane / ${span * teams}u` : '0u'};`}
  let share = ${parts > 1 ? 'part' : '0u'} * ${span}u + lane % ${span}u;
  ${loop(layout)}
  ${storeSums(layout)}`,
    size: span * parts * teams,
    rowTile,
    columnTile: columns * teams,
    features: span > 1 ? ['subgroups'] : [],
  };
}

/** WGSL of the product of all values with those of `v`. */
const dot = ({ width }: Layout, values: string): string =>
  halvesOf(width)
    .map((h) => `dot(${values}${h}, v${h})`)
    .join(' + ');

function dotsLib(layout: Layout): string {
  const columns = ['a', 'b', 'c', 'd'].slice(0, sumSize(layout));
  const dots = columns.map((c) => dot(layout, c));
  return `fn dots(${columns.map((c) => `${c}: Values`).join(', ')}, v: Values) -> vec${columns.length}f {
  return vec${columns.length}f(${dots.join(', ')});
}`;
}

/** Squares of an invocation's share of a row, and their sum over its span. */
const squaresLib = (layout: Layout): string => `
fn add_squares(sum: f32, v: Values) -> f32 {
  return sum + ${dot(layout, 'v')};
}
fn over_span(share: f32) -> f32 {
  var sum = share;
  ${range(Math.log2(layout.span))
    .map((bit) => `sum += subgroupShuffleXor(sum, ${2 ** bit}u);`)
    .join('\n  ')}
  return sum;
}`;

/** Rows whose squares an invocation sums: all of them, or its team's share where teams can tell each other. */
export const squaresOf = ({ normEps, serial, rowTile, teams }: Layout): number =>
  normEps === undefined ? 0 : serial ? rowTile : ceilDiv(rowTile, teams);

/** The row of the tile, of which an invocation has squares number `j`. */
export const ownRow = ({ teams }: Layout, j: number): string => `team + ${j * teams}u`;

/** Most registers that hold weights on their way. */
const ON_THE_WAY = 80;

/**
 * Loads of each weight that are on their way at once, and how many of them are certainly not past the end
 * of inDim, whatever the invocation: memory answers an H200 after 0.5 us or more, an eighth of what a
 * whole product takes.
 */
function ahead({ inDim, width, split, span, parts, columns, weights, serial }: Layout) {
  const loads = ceilDiv(inDim, width);
  const step = span * parts;
  const times = ceilDiv(ceilDiv(loads, split), step);
  const most = serial ? 1 : ON_THE_WAY / (4 * columns * weights.length);
  const rounds = ceilDiv(times, most);
  const count = ceilDiv(times, rounds);
  const isWhole = loads % (split * step * count) === 0;
  const sure = split > 1 ? 1 : Math.floor(loads / step) - (rounds - 1) * count;
  return { count, sure: isWhole ? count : Math.max(1, sure) };
}

/** Variables `square<row>` and those of `sumsOf`, and the loop that fills them with a share of inDim. */
function loop(layout: Layout): string {
  const { rows, outDim, weights, columns, rowTile, serial } = layout;
  const squares = range(squaresOf(layout));
  const own = (j: number): string => `min(${ownRow(layout, j)}, ${rowTile - 1}u)`;
  const variables = [
    ...range(rowTile).map((r) => `let row${r} = min(first + ${r}u, ${rows - 1}u);`),
    ...range(columns).map(
      (c) => `let column${c} = min(unit * ${columns}u + ${c}u, ${outDim - 1}u);`,
    ),
    ...(serial ? [] : squares.map((j) => `let own${j} = min(first + ${own(j)}, ${rows - 1}u);`)),
    ...squares.map((j) => `var square${j} = 0.0;`),
    ...weights.flatMap((w) =>
      sumsOf(layout, w).map((sum) => `var ${sum} = vec${sumSize(layout)}f();`),
    ),
  ];
  const { begin, end, step } = loadsOf(layout);
  const { count } = ahead(layout);
  return `${variables.join('\n  ')}
  for (var k = ${begin}; k < ${end}; k += ${count * step}u) {
    ${range(count)
      .flatMap((u) => loadWeights(layout, u))
      .join('\n    ')}
    ${range(count)
      .map((u) => addRows(layout, u))
      .join('\n    ')}
  }`;
}

/** Which loads of inDim an invocation has: WGSL of the first and of the end, and how far they lie apart. */
function loadsOf({ inDim, width, split, span, parts }: Layout) {
  const loads = ceilDiv(inDim, width);
  const slice = ceilDiv(loads, split);
  const [begin, end] =
    split > 1
      ? [`group.z * ${slice}u + share`, `min((group.z + 1u) * ${slice}u, ${loads}u)`]
      : ['share', `${loads}u`];
  return { begin, end, step: span * parts };
}

/** What names of the loads after the first end with. */
const at = (u: number): string => (u > 0 ? `_${u}` : '');

/**
 * Declares load `u` of those that are ahead, of every weight, with the gain of the norm in it. Without
 * barriers, where little is shared, the gain is in the input instead (`addRows`). Past the end of inDim
 * weights are zero: a branch around what is added would keep the input's loads from going ahead.
 */
function loadWeights(layout: Layout, u: number): string[] {
  const { weights, columns, width, normEps, serial } = layout;
  const { end, step } = loadsOf(layout);
  const next = `k + ${u * step}u`;
  const norm = normEps !== undefined;
  const isCut = u >= ahead(layout).sure;
  const place = isCut ? `min(${next}, ${end} - 1u)` : next;
  return [
    ...(u > 0 ? [`let k${at(u)} = ${place};`] : []),
    ...(isCut ? [`let is_there${at(u)} = f32(${next} < ${end});`] : []),
    ...(norm ? [`let gain${at(u)} = ${values(width, 'gain', '0u', `k${at(u)}`)};`] : []),
    ...weights.flatMap((w) =>
      range(columns).map((c) => {
        const load = `${w}_at(column${c}, k${at(u)})`;
        const value = norm && !serial ? `with_gain(${load}, gain${at(u)})` : load;
        return `let ${w}_${c}${at(u)} = ${value}${isCut ? ` * is_there${at(u)}` : ''};`;
      }),
    ),
  ];
}

/** Adds the products of load `u` with every row, and the squares of rows. */
function addRows(layout: Layout, u: number): string {
  const { weights, columns, rowTile, width, normEps, serial } = layout;
  const k = `k${at(u)}`;
  const size = sumSize(layout);
  const load = (r: number): string[] => {
    const row = values(width, 'x', `row${r}`, k);
    if (normEps === undefined || !serial) return [`let v${r} = ${row};`];
    return [
      `let raw${r} = ${row};`,
      `square${r} = add_squares(square${r}, raw${r});`,
      `let v${r} = with_gain(raw${r}, gain);`,
    ];
  };
  const add = (r: number): string[] =>
    weights.flatMap((w) =>
      range(columns / size).map((v) => {
        const factors = range(size).map((c) => `${w}_${size * v + c}${at(u)}`);
        return `${w}_sum${r}_${v} += dots(${factors.join(', ')}, v${r});`;
      }),
    );
  const { count, sure } = ahead(layout);
  const isCut = u >= sure;
  const squares = range(serial ? 0 : squaresOf(layout)).map((j) => {
    const own = values(width, 'x', `own${j}`, k);
    return `square${j} = add_squares(square${j}, ${own}${isCut ? ` * is_there${at(u)}` : ''});`;
  });
  const rows = range(rowTile).flatMap((r) => [...load(r), ...add(r)]);
  const lines = [...squares, ...rows].join('\n    ');
  return count === 1 ? lines : `{\n${lines}\n}`;
}
