/** The loop of products of few rows over inDim: what an invocation loads and adds. */
import { ceilDiv, range } from '../kernel.ts';
import { rowReader } from '../lib/accessors.ts';
import { normScaleLib } from '../lib/norm-scale.ts';
import type { Width } from '../lib/weights.ts';
import type { WholeTile } from './product-tile.ts';

/** What the parts of the text share. */
export interface Layout extends WholeTile {
  readonly rows: number;
  readonly inDim: number;
  /** Columns of this kernel, and the first of them in quads of the whole. */
  readonly outDim: number;
  readonly firstQuad: number;
  /** Parts of inDim, each of a dispatch's workgroups of its own. */
  readonly split: number;
  readonly weights: readonly string[];
  readonly norm: boolean;
  /** Whether sums are stored without workgroup memory. */
  readonly serial: boolean;
  /** Values of inDim that are read at once. */
  readonly width: Width;
}

/** Columns in a vector of sums. */
export const sumSize = ({ columns }: Layout): number => Math.min(4, columns);

/** Names of the sums of a weight: a vector for each row and, of eight columns, each half. */
export const sumsOf = (layout: Layout, weight: string): readonly string[] =>
  range(layout.rowTile).flatMap((r) =>
    range(layout.columns / sumSize(layout)).map((v) => `${weight}_sum${r}_${v}`),
  );

/** Both halves of eight values, or four as they are. */
const halves = (width: Width): readonly string[] => (width === 4 ? [''] : ['[0]', '[1]']);

/** Functions of the values that are read at once: `Values` is vec4f or, of eight, mat2x4f. */
export function valuesLib(layout: Layout): string {
  const columns = ['a', 'b', 'c', 'd'].slice(0, sumSize(layout));
  const dots = columns.map((c) =>
    halves(layout.width)
      .map((h) => `dot(${c}${h}, v${h})`)
      .join(' + '),
  );
  return `alias Values = ${layout.width === 4 ? 'vec4f' : 'mat2x4f'};
fn dots(${columns.map((c) => `${c}: Values`).join(', ')}, v: Values) -> vec${columns.length}f {
  return vec${columns.length}f(${dots.join(', ')});
}`;
}

/** Functions of the norm; every invocation has the squares of its share of the input. */
export function normLib({ inDim, width, span }: Layout, eps: number): string {
  const masks = range(Math.log2(span)).map((bit) => 2 ** bit);
  const each = (text: (half: string) => string, between: string): string =>
    halves(width).map(text).join(between);
  return `const EPS = f32(${eps});
${normScaleLib}
${rowReader({ name: 'gain', dtype: 'f32', length: inDim })}
fn with_gain(v: Values, gain: Values) -> Values {
  return Values(${each((h) => `v${h} * gain${h}`, ', ')});
}
fn add_squares(sum: f32, v: Values) -> f32 {
  return sum + ${each((h) => `dot(v${h}, v${h})`, ' + ')};
}
fn over_span(share: f32) -> f32 {
  var sum = share;
  ${masks.map((mask) => `sum += subgroupShuffleXor(sum, ${mask}u);`).join('\n  ')}
  return sum;
}
fn scale_of(square: f32) -> f32 {
  return scale_or_nan(inverseSqrt(square / f32(${inDim}) + EPS));
}`;
}

/** Variables `square<row>` and those of `sumsOf`, and the loop that fills them with a share of inDim. */
export function loop(layout: Layout): string {
  const { rows, inDim, outDim, split, weights, norm, columns, rowTile } = layout;
  const { width, span, parts } = layout;
  const loads = ceilDiv(inDim, width);
  const slice = ceilDiv(loads, split);
  const [begin, end] =
    split > 1
      ? [`slice * ${slice}u + share`, `min((slice + 1u) * ${slice}u, ${loads}u)`]
      : ['share', `${loads}u`];
  const size = sumSize(layout);
  const eachRow = range(rowTile);
  const values = (name: string, row: string): string =>
    width === 4
      ? `${name}_at(${row}, k)`
      : `Values(${name}_at(${row}, 2u * k), ${name}_at(${row}, 2u * k + 1u))`;
  const loadRow = (r: number): string =>
    norm
      ? `let raw${r} = ${values('x', `row${r}`)};
    square${r} = add_squares(square${r}, raw${r});
    let v${r} = with_gain(raw${r}, gain);`
      : `let v${r} = ${values('x', `row${r}`)};`;
  const add = (r: number): string[] =>
    weights.flatMap((w) =>
      range(columns / size).map((v) => {
        const factors = range(size).map((c) => `${w}_${size * v + c}`);
        return `${w}_sum${r}_${v} += dots(${factors.join(', ')}, v${r});`;
      }),
    );
  const last = (n: number): string => `${n - 1}u`;
  return `${eachRow.map((r) => `let row${r} = min(first + ${r}u, ${last(rows)});`).join('\n  ')}
  ${range(columns)
    .map((c) => `let column${c} = min(unit * ${columns}u + ${c}u, ${last(outDim)});`)
    .join('\n  ')}
  ${eachRow.map((r) => (norm ? `var square${r} = 0.0;` : '')).join('\n  ')}
  ${weights
    .flatMap((w) => sumsOf(layout, w))
    .map((sum) => `var ${sum} = vec${size}f();`)
    .join('\n  ')}
  for (var k = ${begin}; k < ${end}; k += ${span * parts}u) {
    ${norm ? `let gain = ${values('gain', '0u')};` : ''}
    ${weights
      .flatMap((w) => range(columns).map((c) => `let ${w}_${c} = ${w}_at(column${c}, k);`))
      .join('\n    ')}
    ${eachRow.flatMap((r) => [loadRow(r), ...add(r)]).join('\n    ')}
  }`;
}
