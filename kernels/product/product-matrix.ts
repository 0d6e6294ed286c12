/**
 * Products of few rows by matrices of subgroups, which multiply halves and sum in f32. Weights come from
 * memory as matrices, several on their way at once. Of each row of the input, scaled by a power of two, a
 * value becomes two halves, what it rounds to and the rest, and the same weights are multiplied with both:
 * 21 bits of it count. Rows are filled up to a matrix, which takes as long for one row as for all of them.
 * A workgroup makes one matrix of columns, its subgroups sharing inDim, or several, so that fewer
 * workgroups bring the input.
 */
import { MATRIX_FEATURE, type MatrixSizes, range } from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import {
  loadLeftRows,
  loadRightColumns,
  matrixTypes,
  multiplyAdd,
  SUBGROUP_ID,
  storeSumColumns,
} from './matrix-ops.ts';
import { EIGHTS, type MatrixPlan, planOf, STRIDE } from './product-matrix-plan.ts';
import type { Made, Product } from './product-values.ts';

/** Slices of the input on their way. */
const INPUTS = 2;

/**
 * A row is multiplied with 2^4 first, whatever is in it: one whose largest value is then at least 2^-4 and
 * below 2^16 keeps 21 bits. If that was wrong for some row, all is made again with scales that fit.
 * Exponents have a bias of 127.
 */
const GUESS = 127 + 4;
const [LOWEST, HIGHEST] = [127 - 8, 127 + 11];

export function byMatrices(
  product: Product,
  matrix: MatrixSizes,
  invocations?: number,
  columns?: number,
): Made {
  const { m, n } = matrix;
  const { inDim, outDim, weights } = product;
  const shape = { inDim, outDim, weights: weights.length, invocations };
  const plan = planOf(matrix, shape, columns);
  const { across, parts, subgroups, size } = plan;
  const turn = Math.max(plan.ahead, INPUTS);
  const all = inDim / 8;
  const slices = range(turn).map((q) => slice(product, matrix, plan, q));
  return {
    lib: `${matrixTypes(matrix)}
var<workgroup> slab: array<vec4u, ${plan.memory}>; // eight halves each, then four sums
var<workgroup> scales: array<vec2f, ${n}>;
var<workgroup> misfit: atomic<u32>;
${inputLib(product)}
${scaleLib(product)}
${totalLib(matrix, plan)}`,
    builtins: `, ${SUBGROUP_ID}`,
    main: `let own = min(subgroup, ${subgroups - 1}u);
  let begin = min(columns * ${across}u + own / ${parts}u, ${outDim / m - 1}u) * ${m * all}u;
  let share = own % ${parts}u * ${(plan.steps * matrix.k) / 8}u;
  let line = lane / ${EIGHTS}u;
  let eight = lane % ${EIGHTS}u;
  ${linesOf(plan, n)
    .map(
      ({ j, at }) => `let row${j} = min(first + ${at}, ${product.rows - 1}u);
  let to${j} = (${at}) * ${STRIDE}u + eight;
  var scale${j} = bitcast<f32>(${GUESS}u << 23u);`,
    )
    .join('\n  ')}
  if (lane == 0u) { atomicStore(&misfit, 0u); }
  ${weights.map((w) => `var ${w}_sum: Sum;`).join(' ')}
  for (var again = 0u; again < 2u; again++) {
    ${weights.map((w) => `${w}_sum = Sum();`).join(' ')}
    ${linesOf(plan, n)
      .map(({ j }) => `var found${j} = vec2f();`)
      .join(' ')}
    ${range(INPUTS)
      .map((q) => fetchInput(product, plan, n, q, 'var ', `${q * EIGHTS}u`))
      .join('\n    ')}
    ${range(plan.ahead)
      .map((q) => fetchWeights(product, matrix, plan, q, 'var ', `${q * EIGHTS}u`))
      .join('\n    ')}
    for (var at = 0u; at < ${all}u; at += ${turn * EIGHTS}u) {
      ${slices.join('\n      ')}
    }
    ${each(plan, n, ({ j }) => `slab[to${j}] = vec4u(bitcast<vec2u>(found${j}), 0u, 0u);`)}
    workgroupBarrier();
    if (lane < ${n}u) { find_scale(lane); }
    if (workgroupUniformLoad(&misfit) == 0u) { break; }
    ${each(plan, n, ({ j, at }) => `scale${j} = scales[${at}].x;`)}
  }
  ${store(product, matrix, plan)}`,
    size,
    rowTile: n,
    columnTile: across * m,
    features: ['shader-f16', 'subgroups', MATRIX_FEATURE],
  };
}

/** The rows that an invocation loads of: number, WGSL of the row's place, whether others have none. */
const linesOf = ({ lines, size }: MatrixPlan, n: number) =>
  range(Math.ceil(n / lines)).map((j) => {
    const most = Math.min(lines, n - j * lines);
    const guard = most * EIGHTS < size ? `if (line < ${most}u) ` : '';
    return { j, at: j > 0 ? `line + ${j * lines}u` : 'line', guard };
  });

/** A statement of each row of an invocation. */
const each = (
  plan: MatrixPlan,
  n: number,
  statement: (line: { readonly j: number; readonly at: string }) => string,
): string =>
  linesOf(plan, n)
    .map((line) => `${line.guard}{ ${statement(line)} }`)
    .join('\n    ');

/** Matrices of a subgroup in a slice: their names in set `q`, and how many eights behind its first they begin. */
const stepsOf = (weight: string, { steps }: MatrixPlan, { k }: MatrixSizes, q: number) =>
  range(steps).map((s) => {
    return { name: `${weight}_${q}_${s}`, behind: `${(s * k) / 8}u` };
  });

/** Declares or sets set `q` of matrices of weights, of the slice that begins with eight `from`. */
const fetchWeights = (
  { weights, inDim }: Product,
  matrix: MatrixSizes,
  plan: MatrixPlan,
  q: number,
  declare: string,
  from: string,
): string =>
  weights
    .flatMap((w) =>
      stepsOf(w, plan, matrix, q).map(({ name, behind }) => {
        // Past the end of a row the input is zero: any finite weights will do.
        const at = `min(${from} + share + ${behind}, ${(inDim - matrix.k) / 8}u)`;
        return `${declare}${name} = ${loadLeftRows(`begin + ${at}`, inDim / 8, w)};`;
      }),
    )
    .join('\n    ');

/** The same of the input and of the gain of the norm; past the end of a row its last eight. */
const fetchInput = (
  { normEps, inDim }: Product,
  plan: MatrixPlan,
  n: number,
  q: number,
  declare: string,
  from: string,
): string => {
  const i = `min(${from} + eight, ${inDim / 8 - 1}u)`;
  return [
    ...linesOf(plan, n).map(({ j }) => `${declare}x${q}_${j} = x_values(row${j}, ${i});`),
    ...(normEps === undefined ? [] : [`${declare}gain${q} = gain_values(${i});`]),
  ].join('\n    ');
};

/** Slice `q` of a turn: puts the input, multiplies it, and sends for what is next of both. */
function slice(product: Product, matrix: MatrixSizes, plan: MatrixPlan, q: number): string {
  const { weights, inDim, normEps } = product;
  const { n, k } = matrix;
  const [input, set] = [q % INPUTS, q % plan.ahead];
  const gain = normEps === undefined ? '' : `, gain${input}`;
  const all = inDim / 8;
  const behind = (slices: number): string => `at + ${(q + slices) * EIGHTS}u`;
  const isWhole = all % EIGHTS === 0;
  const put = each(plan, n, ({ j }) => {
    const scale = isWhole ? `scale${j}` : `select(0.0, scale${j}, ${behind(0)} + eight < ${all}u)`;
    return `found${j} = put_x(to${j}, ${scale}, x${input}_${j}${gain}, found${j});`;
  });
  const products = range(plan.steps).map((s) => {
    const at = (begin: number): string =>
      loadRightColumns(`share + ${begin + (s * k) / 8}u`, STRIDE, 'slab');
    const add = weights.flatMap((w) =>
      ['half', 'rest'].map((x) => `${w}_sum = ${multiplyAdd(`${w}_${set}_${s}`, x, `${w}_sum`)};`),
    );
    return `{
        let half = ${at(0)};
        let rest = ${at(n * STRIDE)};
        ${add.join('\n        ')}
      }`;
  });
  return `${q > 0 ? `if (${behind(0)} < ${all}u) ` : ''}{
      ${put}
      workgroupBarrier();
      if (${behind(INPUTS)} < ${all}u) {
        ${fetchInput(product, plan, n, input, '', behind(INPUTS))}
      }
      ${products.join('\n      ')}
      if (${behind(plan.ahead)} < ${all}u) {
        ${fetchWeights(product, matrix, plan, set, '', behind(plan.ahead))}
      }
      workgroupBarrier();
      }`;
}

/** Functions that load eight values of the input, and put them there as halves: zeros where the scale is 0. */
function inputLib({ normEps }: Product): string {
  const norm = normEps !== undefined;
  const values = (name: string, row: string): string =>
    `return Values(${name}_at(${row}, 2u * i), ${name}_at(${row}, 2u * i + 1u));`;
  const words = ['v[0].xy', 'v[0].zw', 'v[1].xy', 'v[1].zw'];
  const rests = words.map((v, i) => `rest_of(${v}, half[${i}])`);
  return `
fn x_values(row: u32, i: u32) -> Values {
  ${values('x', 'row')}
}
${norm ? `fn gain_values(i: u32) -> Values {\n  ${values('gain', '0u')}\n}` : ''}
fn rest_of(v: vec2f, half: u32) -> u32 {
  return pack2x16float(v - unpack2x16float(half));
}
// Puts the halves of eight values; of these the largest and the sum of squares, with what was found before.
fn put_x(to: u32, scale: f32, x: Values${norm ? ', gain: Values' : ''}, found: vec2f) -> vec2f {
  let value = ${norm ? 'with_gain(x, gain)' : 'x'};
  let most = max(abs(value[0]), abs(value[1]));
  let v = value * scale;
  let half = vec4u(${words.map((word) => `pack2x16float(${word})`).join(', ')});
  slab[to] = half;
  slab[to + REST] = vec4u(${rests.join(', ')});
  let all = max(max(most.x, most.y), max(most.z, most.w));
  return vec2f(max(found.x, all), ${norm ? 'found.y + select(0.0, dot(x[0], x[0]) + dot(x[1], x[1]), scale > 0.0)' : '0.0'});
}`;
}

/**
 * `fn find_scale(row)`: the power of two that a row is to be multiplied with, and what takes it out of the
 * sums again, with the factor of the norm: the largest value's exponent becomes 141 unless the guess fits.
 */
const scaleLib = ({ normEps }: Product): string => `
fn find_scale(row: u32) {
  var all = vec2f();
  for (var i = 0u; i < ${EIGHTS}u; i++) {
    let found = bitcast<vec2f>(slab[row * ${STRIDE}u + i].xy);
    all = vec2f(max(all.x, found.x), all.y + found.y);
  }
  let e = bitcast<u32>(all.x) >> 23u;
  var by = ${GUESS}u;
  if (all.x > 0.0 && (e < ${LOWEST}u || e > ${HIGHEST}u)) {
    by = 268u - clamp(e, 15u, 254u);
    atomicStore(&misfit, 1u);
  }
  let back = bitcast<f32>((254u - by) << 23u);
  scales[row] = vec2f(bitcast<f32>(by << 23u), back${normEps === undefined ? '' : ' * scale_of(all.y)'});
}`;

/** `fn total(begin, row, quad)`: four sums of a row, from the subgroups in their order. */
const totalLib = ({ m, n }: MatrixSizes, { parts }: MatrixPlan): string => `
const REST = ${n * STRIDE}u;
fn total(begin: u32, row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  let start = begin + (quad / ${m / 4}u * ${parts * n}u + row) * ${m / 4}u + quad % ${m / 4}u;
  for (var part = 0u; part < ${parts}u; part++) {
    total += bitcast<vec4f>(slab[start + part * ${(m * n) / 4}u]);
  }
  return total;
}`;

/** The end: every invocation stores some quads of columns. */
function store(
  { rows, outDim, firstQuad, weights }: Product,
  { m, n }: MatrixSizes,
  { across, subgroups, size }: MatrixPlan,
): string {
  const each = (m * n) / 4;
  const from = (i: number): string => `${i * subgroups * each}u`;
  const quadsOfTile = (across * m) / 4;
  const sums = weights.map((w, i) =>
    storeSumColumns('slab', `${from(i)} + subgroup * ${each}u`, `${w}_sum`, m / 4),
  );
  return `if (subgroup < ${subgroups}u) {
    ${sums.map((sum) => `${sum};`).join('\n    ')}
  }
  workgroupBarrier();
  for (var item = lane; item < ${quadsOfTile * n}u; item += ${size}u) {
    let row = item / ${quadsOfTile}u;
    let quad = item % ${quadsOfTile}u;
    let i = columns * ${quadsOfTile}u + quad;
    if (first + row < ${rows}u && i < ${quads(outDim)}u) {
      let scale = scales[row].y;
      store(first + row, ${firstQuad}u + i, ${weights.map((_, i) => `total(${from(i)}, row, quad) * scale`).join(', ')});
    }
  }`;
}
