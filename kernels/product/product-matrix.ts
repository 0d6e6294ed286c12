/**
 * Products of few rows by matrices of subgroups, which multiply halves and sum in f32. Subgroups share inDim:
 * in each round a subgroup puts its share of the input and of the weights into workgroup memory, by wide
 * loads that were sent rounds ahead, and multiplies matrices of them. Of each row of the input, scaled by a
 * power of two, a value becomes two halves, what it rounds to and the rest, and the same weights are
 * multiplied with both: 21 bits of it count. Rows are filled up to a matrix, which takes as long for one row
 * as for all of them.
 */
import {
  ceilDiv,
  enable,
  MATRIX_FEATURE,
  type MatrixSizes,
  range,
  type Variant,
} from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import {
  loadLeftRows,
  loadRightColumns,
  matrixTypes,
  multiplyAdd,
  SUBGROUP_ID,
  storeSumColumns,
} from './matrix-ops.ts';
import { GUESS, inputLib, scaleLib } from './product-matrix-input.ts';
import {
  EIGHTS,
  limitsOf,
  type MatrixPlan,
  type MatrixTile,
  planOf,
  STRIDE,
} from './product-matrix-plan.ts';
import type { Made, Product } from './product-values.ts';

/** Rounds of the input on their way. */
const INPUTS = 2;

/** What the parts of the text share. */
interface Layout extends Product, MatrixPlan {
  readonly matrix: MatrixSizes;
  /** Eights of a row. */
  readonly all: number;
  readonly norm: boolean;
}

/** @param matrix Those of the variant, against which `matrixProblem` has nothing. */
export function byMatrices(
  product: Product,
  matrix: MatrixSizes,
  variant: Variant,
  tile: MatrixTile,
): Made {
  const limits = limitsOf(variant, matrix);
  const { m, n } = matrix;
  const { inDim, outDim, weights, normEps } = product;
  const plan = planOf({ inDim, outDim, weights: weights.length }, limits, tile);
  const layout = { ...product, ...plan, matrix, all: inDim / 8, norm: normEps !== undefined };
  const { across, size } = plan;
  const features = ['shader-f16', 'subgroups', MATRIX_FEATURE] as const;
  return {
    enable: enable(features),
    lib: `${matrixTypes(matrix)}
const REST = ${n * STRIDE}u;
var<workgroup> slab: array<vec4u, ${plan.memory}>; // eight halves each, then four sums
var<workgroup> found: array<vec2f, ${n * plan.parts}>; // of a row: the largest value, the sum of squares
var<workgroup> misfit: atomic<u32>;
${inputLib(layout)}
${scaleLib(layout)}
${totalLib(layout)}`,
    builtins: `, ${SUBGROUP_ID}`,
    main: mainOf(layout),
    size,
    rowTile: n,
    columnTile: across * m,
    features,
  };
}

function mainOf(layout: Layout): string {
  const { rows, outDim, across, parts, region, rounds, ahead, all } = layout;
  const { m, n, lanes } = layout.matrix;
  const turn = Math.max(ahead, INPUTS);
  const sums = sumsOf(layout);
  return `let own = min(subgroup, ${parts - 1}u) * ${region}u;
  let part = lane / ${lanes}u;
  let to = part * ${region}u + lane % ${lanes}u / ${EIGHTS}u * ${STRIDE}u + lane % ${EIGHTS}u;
  let line = lane % ${lanes}u / ${EIGHTS}u;
  let eight = part * ${EIGHTS}u + lane % ${EIGHTS}u;
  ${linesOf(layout, n)
    .map(({ j, at }) => `let row${j} = min(first + ${at}, ${rows - 1}u);`)
    .join('\n  ')}
  ${linesOf(layout, across * m)
    .map(
      ({ j, at }) =>
        `let column${j} = min(columns * ${across * m}u + ${at}, ${outDim - 1}u) * ${all}u;`,
    )
    .join('\n  ')}
  if (lane == 0u) { atomicStore(&misfit, 0u); }
  ${linesOf(layout, n)
    .map(({ j }) => `var scale${j} = bitcast<f32>(${GUESS}u << 23u);`)
    .join('\n  ')}
  for (var again = 0u; again < 2u; again++) {
    ${sums.map((sum) => `var ${sum} = Sum();`).join('\n    ')}
    ${linesOf(layout, n)
      .map(({ j }) => `var found${j} = vec2f();`)
      .join(' ')}
    ${range(ahead)
      .map((q) => fetchWeights(layout, q, 'var ', q))
      .join('\n    ')}
    ${range(Math.min(INPUTS, rounds))
      .map((q) => fetchInput(layout, q, 'var ', q))
      .join('\n    ')}
    ${
      rounds <= turn
        ? range(rounds)
            .map((q) => round(layout, q, true))
            .join('\n    ')
        : `for (var at = 0u; at < ${rounds}u; at += ${turn}u) {
      ${range(turn)
        .map((q) =>
          q > 0 && rounds % turn !== 0
            ? `if (at + ${q}u < ${rounds}u) ${round(layout, q, false)}`
            : round(layout, q, false),
        )
        .join('\n      ')}
    }`
    }
    ${finish(layout)}`;
}

/** Sums of a subgroup, those of a weight after those of the one before. */
const sumsOf = ({ weights, across }: Layout): readonly string[] =>
  weights.flatMap((w) => range(across).map((c) => `${w}_sum${c}`));

/** The rows or columns that an invocation loads of: number, WGSL of the place, and whether others have none. */
const linesOf = ({ matrix: { lanes } }: Layout, count: number) =>
  range(ceilDiv(count * EIGHTS, lanes)).map((j) => {
    const each = lanes / EIGHTS;
    const guard = (j + 1) * each > count ? `if (line < ${count - j * each}u) ` : '';
    return {
      j,
      at: j > 0 ? `line + ${j * each}u` : 'line',
      skip: j * each * STRIDE,
      guard,
    };
  });

/** Declares or sets set `q` of the weights of a round. */
const fetchWeights = (layout: Layout, q: number, declare: string, round: Round): string =>
  layout.weights
    .flatMap((w) =>
      linesOf(layout, layout.across * layout.matrix.m).map(({ j }) => {
        // Past the end of a row the input is zero: any finite weights will do.
        return `${declare}${w}${q}_${j} = ${w}[column${j} + ${eightOf(layout, round)}];`;
      }),
    )
    .join('\n    ');

/** The same of the input and of the gain of the norm; past the end of a row its last eight. */
const fetchInput = (layout: Layout, q: number, declare: string, round: Round): string => {
  const i = eightOf(layout, round);
  const norm = layout.norm ? [`${declare}gain${q} = gain_values(${i});`] : [];
  const lines = linesOf(layout, layout.matrix.n);
  return [...lines.map(({ j }) => `${declare}x${q}_${j} = x_values(row${j}, ${i});`), ...norm].join(
    '\n    ',
  );
};

/** A round: its number, or WGSL of it. */
type Round = number | string;

/** WGSL of the eight of a row that an invocation has in a round, however many there are. */
const wantedEight = ({ parts }: Layout, round: Round): string => {
  if (typeof round === 'string') return `(${round}) * ${parts * EIGHTS}u + eight`;
  return round === 0 ? 'eight' : `${round * parts * EIGHTS}u + eight`;
};

/** Whether all rounds are of whole rows. */
const isWhole = ({ all, parts }: Layout): boolean => all % (parts * EIGHTS) === 0;

/** The same within the row. */
const eightOf = (layout: Layout, round: Round): string => {
  const at = wantedEight(layout, round);
  return isWhole(layout) ? at : `min(${at}, ${layout.all - 1}u)`;
};

/** A statement that some invocations leave out. */
const guarded = (guard: string, statement: string): string =>
  guard ? `${guard}{ ${statement} }` : statement;

/** Round `q` of a turn, or of all: puts what it needs, sends for what is next, and multiplies. */
function round(layout: Layout, q: number, isAll: boolean): string {
  const { matrix, weights, all, ahead, rounds, norm, across, steps } = layout;
  const { m, n, k } = matrix;
  const [input, set] = [q % INPUTS, q % ahead];
  const from = (behind: number): Round => (isAll ? q + behind : `at + ${q + behind}u`);
  const next = (behind: number, fetch: (round: Round) => string): string => {
    if (isAll) return q + behind < rounds ? fetch(from(behind)) : '';
    return `if (${from(behind)} < ${rounds}u) {\n${fetch(from(behind))}\n}`;
  };
  const putInput = linesOf(layout, n).map(({ j, skip, guard }) => {
    const inside = `${wantedEight(layout, from(0))} < ${all}u`;
    const scale = isWhole(layout) ? `scale${j}` : `select(0.0, scale${j}, ${inside})`;
    return guarded(
      guard,
      `found${j} = put_x(to + ${skip}u, ${scale}, x${input}_${j}${norm ? `, gain${input}` : ''}, found${j});`,
    );
  });
  const putWeights = weights.flatMap((w, i) =>
    linesOf(layout, across * m).map(({ j, skip, guard }) => {
      return guarded(
        guard,
        `slab[to + ${skip + (2 * n + i * across * m) * STRIDE}u] = ${w}${set}_${j};`,
      );
    }),
  );
  const products = range(steps).map((s) => {
    const place = (line: number): string => `own + ${line * STRIDE + (s * k) / 8}u`;
    const adds = sumsOf(layout).flatMap((sum, i) => [
      `let left${i} = ${loadLeftRows(place(2 * n + i * m), STRIDE, 'slab')};`,
      ...['half', 'rest'].map((x) => `${sum} = ${multiplyAdd(`left${i}`, x, sum)};`),
    ]);
    return `{
        let half = ${loadRightColumns(place(0), STRIDE, 'slab')};
        let rest = ${loadRightColumns(place(n), STRIDE, 'slab')};
        ${adds.join('\n        ')}
      }`;
  });
  return `{
      ${putInput.join('\n      ')}
      ${putWeights.join('\n      ')}
      workgroupBarrier();
      ${next(ahead, (r) => fetchWeights(layout, set, '', r))}
      ${next(INPUTS, (r) => fetchInput(layout, input, '', r))}
      ${products.join('\n      ')}
      workgroupBarrier();
      }`;
}

/** `fn total(begin, row, quad)`: four sums of a row, from the subgroups in their order. */
const totalLib = ({ parts, across, weights, matrix: { m, n } }: Layout): string => `
fn total(begin: u32, row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  let start = (begin + quad / ${m / 4}u) * ${(m * n) / 4}u + row * ${m / 4}u + quad % ${m / 4}u;
  for (var part = 0u; part < ${parts}u; part++) {
    total += bitcast<vec4f>(slab[start + part * ${(across * weights.length * m * n) / 4}u]);
  }
  return total;
}`;

/** The end of the loop: hands sums on, once more if a scale was wrong; then every invocation stores some quads. */
function finish(layout: Layout): string {
  const { rows, outDim, firstQuad, weights, across, parts, size } = layout;
  const { m, n } = layout.matrix;
  const sums = sumsOf(layout);
  const each = (m * n) / 4;
  const quadsOfTile = (across * m) / 4;
  const lines = linesOf(layout, n);
  return `${lines.map(({ j }) => `let all${j} = over_eights(found${j});`).join('\n    ')}
    if (lane % ${EIGHTS}u == 0u) {
      ${lines.map(({ j, at, guard }) => guarded(guard, `found[(${at}) * ${parts}u + part] = all${j};`)).join('\n      ')}
    }
    if (subgroup < ${parts}u) {
      ${sums.map((sum, i) => `${storeSumColumns('slab', `subgroup * ${sums.length * each}u + ${i * each}u`, sum, m / 4)};`).join('\n      ')}
    }
    workgroupBarrier();
    if (lane < ${n}u && exponent_of(found_of(lane).x) != ${GUESS}u) { atomicStore(&misfit, 1u); }
    if (workgroupUniformLoad(&misfit) == 0u) { break; }
    ${lines.map(({ j, at }) => `scale${j} = bitcast<f32>(exponent_of(found_of(min(${at}, ${n - 1}u)).x) << 23u);`).join('\n    ')}
  }
  for (var item = lane; item < ${quadsOfTile * n}u; item += ${size}u) {
    let row = item / ${quadsOfTile}u;
    let quad = item % ${quadsOfTile}u;
    let i = columns * ${quadsOfTile}u + quad;
    if (first + row < ${rows}u && i < ${quads(outDim)}u) {
      let scale = back_of(found_of(row));
      store(first + row, ${firstQuad}u + i, ${weights.map((_, w) => `total(${w * across}u, row, quad) * scale`).join(', ')});
    }
  }`;
}
