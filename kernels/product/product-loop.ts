/** The loop of products of few rows over inDim: what an invocation loads and adds. */
import { ceilDiv, range } from '../kernel.ts';
import { rowReader, type Width } from '../lib/accessors.ts';
import { normScaleLib } from '../lib/norm-scale.ts';
import type { ProductTile } from './product-tile.ts';

/** What the parts of the text share. */
export interface Layout extends ProductTile {
  readonly rows: number;
  readonly inDim: number;
  /** Columns of this kernel, and the first of them in quads of the whole. */
  readonly outDim: number;
  readonly firstQuad: number;
  readonly split: number;
  readonly weights: readonly string[];
  readonly norm: boolean;
  /** Rows of a tile, and quads of columns of a unit. */
  readonly rowTile: number;
  readonly unitQuads: number;
  /** Values that are read at once. */
  readonly width: Width;
  /**
   * Whether four neighbours load a quarter of the input each and show it to one another, for columns of
   * their own: on software adapters a load costs about as much as six multiply-adds wherever it points
   * (quad-product.ts). Their four shares of a sum are kept apart and added as those of a span of four
   * are, so the bits are the same.
   */
  readonly quad: boolean;
}

/** Neighbours that load the input together, and shares of inDim that are summed apart. */
export const QUAD = 4;
/** Four columns of one row, with one weight. */
export interface Sum {
  readonly name: string;
  readonly w: string;
  readonly row: number;
  readonly quad: number;
}

/** The sums of an invocation: one for each weight, row and quad of columns. */
export const sumsOf = ({ weights, rowTile, unitQuads }: Layout): readonly Sum[] =>
  weights.flatMap((w) =>
    range(rowTile).flatMap((row) =>
      range(unitQuads).map((quad) => ({ w, row, quad, name: `${w}_sum${row}_${quad}` })),
    ),
  );

/** Functions of the values that are read at once: `Values` is vec4f or, of eight, mat2x4f. */
export function valuesLib({ width, quad }: Layout): string {
  const halves = halvesOf(width);
  const dots = ['a', 'b', 'c', 'd'].map((column) =>
    halves.map((h) => `dot(${column}${h}, v${h})`).join(' + '),
  );
  const shown = range(quad ? QUAD : 0).map(
    (s) => `
fn shown_by_${s}(v: Values) -> Values {
  return Values(${halves.map((h) => `quadBroadcast(v${h}, ${s}u)`).join(', ')});
}`,
  );
  return `alias Values = ${width === 4 ? 'vec4f' : 'mat2x4f'};
fn dots(a: Values, b: Values, c: Values, d: Values, v: Values) -> vec4f {
  return vec4f(${dots.join(', ')});
}${shown.join('')}`;
}

const halvesOf = (width: Width): readonly string[] => (width === 4 ? [''] : ['[0]', '[1]']);

/** Functions of the norm; every invocation has the squares of its share of the input. */
export function normLib({ inDim, width, span, quad }: Layout, eps: number): string {
  const halves = halvesOf(width);
  const masks = range(Math.log2(quad ? QUAD : span)).map((bit) => 2 ** bit);
  return `const EPS = f32(${eps});
${normScaleLib}
${rowReader({ name: 'gain', dtype: 'f32', length: inDim, width })}
fn with_gain(v: Values, gain: Values) -> Values {
  return Values(${halves.map((h) => `v${h} * gain${h}`).join(', ')});
}
fn add_squares(sum: f32, v: Values) -> f32 {
  return sum + ${halves.map((h) => `dot(v${h}, v${h})`).join(' + ')};
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
export function loop(layout: Layout): readonly string[] {
  const { rows, inDim, outDim, weights, norm, columns, rowTile, width } = layout;
  const { span, parts, split, quad } = layout;
  const loads = ceilDiv(inDim, width);
  const perSlice = ceilDiv(loads, split);
  const eachRow = range(rowTile);
  const sums = sumsOf(layout);
  const loadGain = (k: string): string[] => (norm ? [`let gain = gain_at(0u, ${k});`] : []);
  /** Declares `v<row>`; where not all invocations count, `counts` says which do. */
  const loadRow = (r: number, k: string, counts?: string): string[] => {
    if (!norm) return [`let v${r} = x_at(row${r}, ${k});`];
    const square = `add_squares(square${r}, raw${r})`;
    return [
      `let raw${r} = x_at(row${r}, ${k});`,
      `square${r} = ${counts ? `select(square${r}, ${square}, ${counts})` : square};`,
      `let v${r} = with_gain(raw${r}, gain);`,
    ];
  };
  const loadWeights = (k: string, share = ''): string[] =>
    weights.flatMap((w) =>
      range(columns).map((c) => `let ${w}_${c}${share} = ${w}_at(column${c}, ${k});`),
    );
  const add = (r: number, v: string, share = ''): string[] =>
    sums
      .filter(({ row }) => row === r)
      .map(({ w, quad: q, name }) => {
        const four = range(4).map((c) => `${w}_${4 * q + c}${share}`);
        return `${name}${share} += dots(${four.join(', ')}, ${v});`;
      });
  /** Adds `count` loads, at most four, of which this invocation makes one and is shown the others. */
  const together = (k: string, count: number): string[] => [
    `let mine = ${k} + ${count < QUAD ? `min(place, ${count - 1}u)` : 'place'};`,
    ...loadGain('mine'),
    ...eachRow.flatMap((r) => loadRow(r, 'mine', count < QUAD ? `place < ${count}u` : undefined)),
    ...range(count).flatMap((s) => [
      ...loadWeights(`${k} + ${s}u`, `_${s}`),
      ...eachRow.flatMap((r) => add(r, `shown_by_${s}(v${r})`, `_${s}`)),
    ]),
  ];
  const alone = [
    ...loadGain('k'),
    ...loadWeights('k'),
    ...eachRow.flatMap((r) => [...loadRow(r, 'k'), ...add(r, `v${r}`)]),
  ];
  const cut = [
    `let begin = slice * ${perSlice}u + share;`,
    `let end = min((slice + 1u) * ${perSlice}u, ${loads}u);`,
  ];
  const [begin, end] = split > 1 ? ['begin', 'end'] : ['share', `${loads}u`];
  const whole = loads - (loads % QUAD);
  const shares = quad ? range(QUAD).map((s) => `_${s}`) : [''];
  return [
    ...eachRow.map((r) => `let row${r} = min(first + ${r}u, ${rows - 1}u);`),
    ...range(columns).map(
      (c) => `let column${c} = min(unit * ${columns}u + ${c}u, ${outDim - 1}u);`,
    ),
    ...(norm ? eachRow.map((r) => `var square${r} = 0.0;`) : []),
    ...sums.flatMap(({ name }) => shares.map((share) => `var ${name}${share} = vec4f();`)),
    ...(split > 1 ? cut : []),
    ...(quad
      ? [
          `let place = lane % ${QUAD}u;`,
          ...block(`for (var k = 0u; k < ${whole}u; k += ${QUAD}u)`, together('k', QUAD)),
          ...(whole < loads ? block('', together(`${whole}u`, loads - whole)) : []),
        ]
      : block(`for (var k = ${begin}; k < ${end}; k += ${span * parts}u)`, alone)),
  ];
}

/** Statements in braces. */
export const block = (head: string, lines: readonly string[]): readonly string[] => [
  `${head} {`,
  ...lines.map((line) => `  ${line}`),
  '}',
];
