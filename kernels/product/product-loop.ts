/** Products of few rows in registers: what an invocation loads and adds. */
import { ceilDiv, range } from '../kernel.ts';
import { storeSums, sumsLib } from './product-sums.ts';
import type { WholeTile } from './product-tile.ts';
import { halvesOf, type Made, type Product, values } from './product-values.ts';

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
  const team = span * parts;
  return {
    lib: `${dotsLib(layout)}
${layout.normEps === undefined ? '' : squaresLib(layout)}
${sumsLib(layout)}`,
    builtins: '',
    main: `let unit = columns * ${teams}u + lane / ${team}u;
  let share = lane % ${team}u;
  ${loop(layout)}
  ${storeSums(layout)}`,
    size: team * teams,
    rowTile,
    columnTile: columns * teams,
    features: span > 1 ? ['subgroups'] : [],
  };
}

function dotsLib(layout: Layout): string {
  const columns = ['a', 'b', 'c', 'd'].slice(0, sumSize(layout));
  const dots = columns.map((c) =>
    halvesOf(layout.width)
      .map((h) => `dot(${c}${h}, v${h})`)
      .join(' + '),
  );
  return `fn dots(${columns.map((c) => `${c}: Values`).join(', ')}, v: Values) -> vec${columns.length}f {
  return vec${columns.length}f(${dots.join(', ')});
}`;
}

/** Every invocation has the squares of its share of the input. */
const squaresLib = ({ width, span, serial }: Layout): string => `
fn add_squares(sum: f32, v: Values) -> f32 {
  return sum + ${halvesOf(width)
    .map((h) => `dot(v${h}, v${h})`)
    .join(' + ')};
}
${
  serial
    ? `fn over_span(share: f32) -> f32 {
  var sum = share;
  ${range(Math.log2(span))
    .map((bit) => `sum += subgroupShuffleXor(sum, ${2 ** bit}u);`)
    .join('\n  ')}
  return sum;
}`
    : ''
}`;

/** Variables `square<row>` and those of `sumsOf`, and the loop that fills them with a share of inDim. */
function loop(layout: Layout): string {
  const { rows, inDim, outDim, split, weights, normEps, columns, rowTile } = layout;
  const { width, span, parts } = layout;
  const norm = normEps !== undefined;
  const loads = ceilDiv(inDim, width);
  const slice = ceilDiv(loads, split);
  const [begin, end] =
    split > 1
      ? [`slice * ${slice}u + share`, `min((slice + 1u) * ${slice}u, ${loads}u)`]
      : ['share', `${loads}u`];
  const size = sumSize(layout);
  const eachRow = range(rowTile);
  const loadRow = (r: number): string =>
    norm
      ? `let raw${r} = ${values(width, 'x', `row${r}`, 'k')};
    square${r} = add_squares(square${r}, raw${r});
    let v${r} = with_gain(raw${r}, gain);`
      : `let v${r} = ${values(width, 'x', `row${r}`, 'k')};`;
  const add = (r: number): string[] =>
    weights.flatMap((w) =>
      range(columns / size).map((v) => {
        const factors = range(size).map((c) => `${w}_${size * v + c}`);
        return `${w}_sum${r}_${v} += dots(${factors.join(', ')}, v${r});`;
      }),
    );
  return `${eachRow.map((r) => `let row${r} = min(first + ${r}u, ${rows - 1}u);`).join('\n  ')}
  ${range(columns)
    .map((c) => `let column${c} = min(unit * ${columns}u + ${c}u, ${outDim - 1}u);`)
    .join('\n  ')}
  ${eachRow.map((r) => (norm ? `var square${r} = 0.0;` : '')).join('\n  ')}
  ${weights
    .flatMap((w) => sumsOf(layout, w))
    .map((sum) => `var ${sum} = vec${size}f();`)
    .join('\n  ')}
  for (var k = ${begin}; k < ${end}; k += ${span * parts}u) {
    ${norm ? `let gain = ${values(width, 'gain', '0u', 'k')};` : ''}
    ${weights
      .flatMap((w) => range(columns).map((c) => `let ${w}_${c} = ${w}_at(column${c}, k);`))
      .join('\n    ')}
    ${eachRow.flatMap((r) => [loadRow(r), ...add(r)]).join('\n    ')}
  }`;
}
