/** The loop of products of few rows over inDim: what an invocation loads and adds. */
import { ceilDiv, range } from '../kernel.ts';
import type { ProductTile } from './product-tile.ts';

/** Sizes that the parts of the text share. */
export interface Layout extends ProductTile {
  readonly rows: number;
  readonly inDim: number;
  /** Columns of this kernel, and the first of them in quads of the whole. */
  readonly outDim: number;
  readonly firstQuad: number;
  readonly weights: readonly string[];
  readonly norm: boolean;
  /** Parts of inDim, each summed by workgroups of its own. */
  readonly split: number;
  /** Rows of a tile, quads of a unit, weights read at once. */
  readonly rowTile: number;
  readonly unitQuads: number;
  readonly width: 4 | 8;
}

/** Variables `${w}_sum${r}_${q}`, `square${r}`, and the loop that fills them with a share of the sums. */
export function loop(layout: Layout): string {
  const { inDim, weights, norm, columns, rowTile, unitQuads, span, parts, split, width } = layout;
  const loads = ceilDiv(inDim, width);
  const perSlice = ceilDiv(loads, split);
  const [begin, end] =
    split === 1
      ? ['share', `${loads}u`]
      : [`slice * ${perSlice}u + share`, `min((slice + 1u) * ${perSlice}u, ${loads}u)`];
  const halves = range(width / 4);
  const product = (w: string, c: number, r: number): string =>
    width === 4
      ? `dot(${w}_${c}, v${r}_0)`
      : `(dot(${w}_${c}[0], v${r}_0) + dot(${w}_${c}[1], v${r}_1))`;
  const row = (r: number): string =>
    [
      ...halves.map((h) => {
        const raw = `raw${r}_${h}`;
        const at = `let ${raw} = x_at(row${r}, ${width === 4 ? 'k' : `2u * k + ${h}u`});`;
        return norm
          ? `${at} square${r} += dot(${raw}, ${raw}); let v${r}_${h} = ${raw} * g${h};`
          : `${at} let v${r}_${h} = ${raw};`;
      }),
      ...weights.flatMap((w) =>
        range(unitQuads).map(
          (q) =>
            `${w}_sum${r}_${q} += vec4f(${range(4)
              .map((c) => product(w, 4 * q + c, r))
              .join(', ')});`,
        ),
      ),
    ].join(' ');
  return `${loopHead(layout)}
  ${sumNames(layout, weights)
    .flat()
    .map((s) => `var ${s} = vec4f();`)
    .join(' ')}
  for (var k = ${begin}; k < ${end}; k += ${span * parts}u) {
    ${norm ? halves.map((h) => `let g${h} = gain_at(0u, ${width === 4 ? 'k' : `2u * k + ${h}u`});`).join(' ') : ''}
    ${weights
      .flatMap((w) => range(columns).map((c) => `let ${w}_${c} = ${w}_at(column${c}, k);`))
      .join('\n    ')}
    ${range(rowTile).map(row).join('\n    ')}
  }`;
}

/** Which rows and columns of the weight, and the squares of the input. */
export const loopHead = ({ rows, outDim, columns, rowTile, norm }: Layout): string =>
  [
    ...range(rowTile).map((r) => `let row${r} = min(first + ${r}u, ${rows - 1}u);`),
    ...range(columns).map(
      (c) => `let column${c} = min(unit * ${columns}u + ${c}u, ${outDim - 1}u);`,
    ),
    ...(norm ? range(rowTile).map((r) => `var square${r} = 0.0;`) : []),
  ].join(' ');

/** Names of the sums, one list for each weight: row by row, quad by quad. */
export const sumNames = (
  { rowTile, unitQuads }: Pick<Layout, 'rowTile' | 'unitQuads'>,
  weights: readonly string[],
): readonly (readonly string[])[] =>
  weights.map((w) =>
    range(rowTile * unitQuads).map((v) => `${w}_sum${Math.floor(v / unitQuads)}_${v % unitQuads}`),
  );
