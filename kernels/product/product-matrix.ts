/**
 * Products of few rows by matrices of subgroups, which multiply halves and sum in f32. Weights come by
 * wide loads through workgroup memory. Of each row of the input, scaled by a power of two so that its
 * largest value is below 2^15, a value becomes two halves, what it rounds to and the rest, and the same
 * weights are multiplied with both: 21 bits of it count. Rows are filled up to a matrix, which takes as
 * long for one row as for all of them. A workgroup makes one matrix of columns and rows; its subgroups
 * share inDim.
 */
import {
  ceilDiv,
  MATRIX_FEATURE,
  MAX_WORKGROUP_BYTES,
  type MatrixConfig,
  range,
} from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import {
  loadLeft,
  loadRight,
  matrixTypes,
  multiplyAdd,
  SUBGROUP_ID,
  storeSum,
} from './matrix-ops.ts';
import { halvesOf, type Made, type Product, values } from './product-values.ts';

/** Subgroups of a workgroup. */
const PARTS = 2;
/** Values of inDim in workgroup memory, at most. */
const DEPTH = 128;

/** Values of inDim that a workgroup holds at a time, its invocations and the bytes of its memory. */
function planOf({ m, n, k, lanes }: MatrixConfig, weights: number) {
  const size = PARTS * lanes;
  const bytes = (depth: number): number =>
    2 * depth * (weights * m + 2 * n) + 4 * weights * PARTS * m * n + 8 * (n + size);
  let depth = DEPTH;
  while (depth > PARTS * k && bytes(depth) > MAX_WORKGROUP_BYTES) depth /= 2;
  return { depth, size, bytes: bytes(depth) };
}

/** Why a device's matrices cannot make a product, or undefined where they can. */
export function matrixProblem(
  matrix: MatrixConfig | undefined,
  weights: number,
): string | undefined {
  if (matrix?.operand !== 'f16')
    return `math "matrix" needs the device feature "${MATRIX_FEATURE}", with products of halves and sums in f32`;
  const { m, n, k, lanes } = matrix;
  const { size, bytes } = planOf(matrix, weights);
  const isEven = m % 4 === 0 && DEPTH % (PARTS * k) === 0 && size % n === 0;
  return isEven && size <= 256 && bytes <= MAX_WORKGROUP_BYTES
    ? undefined
    : `math "matrix" cannot be made of matrices of ${m}x${n}x${k} and subgroups of ${lanes}`;
}

export function byMatrices(product: Product, matrix: MatrixConfig): Made {
  const { m, n } = matrix;
  const { weights } = product;
  const { depth, size } = planOf(matrix, weights.length);
  const fetch = fetches(product, matrix, depth, size);
  return {
    lib: `${matrixTypes(matrix)}
var<workgroup> left: array<f16, ${weights.length * depth * m}>;
var<workgroup> right: array<f16, ${2 * depth * n}>;
var<workgroup> sums: array<f32, ${weights.length * PARTS * m * n}>;
${scalesLib(product, n, size)}
${slicesLib(product, matrix, depth)}
${totalLib(matrix)}`,
    builtins: `, ${SUBGROUP_ID}`,
    main: `${weights.map((w) => `var ${w}_sum: Sum;`).join(' ')}
  ${fetch('var ', '0u')}
  find_scales(first, lane);
  for (var depth = 0u; depth < ${product.inDim}u; depth += ${depth}u) {
    ${puts(product, matrix, depth, size)}
    workgroupBarrier();
    // What comes next is on its way while this is multiplied.
    ${fetch('', `(depth + ${depth}u) / ${product.width}u`)}
    if (subgroup < ${PARTS}u) {
      ${multiply(product, matrix, depth)}
    }
    workgroupBarrier();
  }
  ${store(product, matrix, size)}`,
    size,
    rowTile: n,
    columnTile: m,
    features: ['shader-f16', 'subgroups', MATRIX_FEATURE],
  };
}

/**
 * `scales[row]`: the power of two that a row is multiplied with, and what takes it out of the sums again,
 * with the factor of the norm. Exponents have a bias of 127: the largest value's e becomes 141.
 */
function scalesLib({ rows, inDim, normEps }: Product, n: number, size: number): string {
  const each = size / n;
  const norm = normEps !== undefined;
  return `
var<workgroup> found: array<vec2f, ${size}>;
var<workgroup> scales: array<vec2f, ${n}>;
fn find_scales(first: u32, lane: u32) {
  let row = min(first + lane / ${each}u, ${rows - 1}u);
  var most = vec4f();
  var square = 0.0;
  for (var i = lane % ${each}u; i < ${quads(inDim)}u; i += ${each}u) {
    let v = x_at(row, i);
    ${norm ? 'square += dot(v, v);' : ''}
    most = max(most, abs(v${norm ? ' * gain_at(0u, i)' : ''}));
  }
  found[lane] = vec2f(max(max(most.x, most.y), max(most.z, most.w)), square);
  workgroupBarrier();
  if (lane < ${n}u) {
    var all = found[lane * ${each}u];
    for (var i = 1u; i < ${each}u; i++) {
      let other = found[lane * ${each}u + i];
      all = vec2f(max(all.x, other.x), all.y + other.y);
    }
    let e = clamp(bitcast<u32>(all.x) >> 23u, 15u, 254u);
    let back = bitcast<f32>((e - 14u) << 23u);
    scales[lane] = vec2f(bitcast<f32>((268u - e) << 23u), back${norm ? ' * scale_of(all.y)' : ''});
  }
  workgroupBarrier();
}`;
}

/** Functions that load values of a slice of inDim, zero past its end, and put them there as halves. */
function slicesLib(
  { rows, inDim, outDim, weights, normEps, width }: Product,
  { m, n }: MatrixConfig,
  depth: number,
): string {
  const end = `if (i >= ${ceilDiv(inDim, width)}u) { return Values(); }`;
  const x = values(width, 'x', 'at_row', 'i');
  const gain = values(width, 'gain', '0u', 'i');
  const put = (to: string, name: string, lines: number): string =>
    halvesOf(width)
      .flatMap((_, h) =>
        range(4).map((c) => `${to} + ${(4 * h + c) * lines}u] = ${name}${h}[${c}];`),
      )
      .join('\n  ');
  return `${weights
    .map(
      (w) => `
fn ${w}_values(column: u32, i: u32) -> Values {
  ${end}
  return ${w}_at(min(column, ${outDim - 1}u), i);
}`,
    )
    .join('')}
fn x_values(row: u32, i: u32) -> Values {
  ${end}
  let at_row = min(row, ${rows - 1}u);
  return ${normEps === undefined ? x : `with_gain(${x}, ${gain})`};
}
fn put_weight(begin: u32, at: u32, v: Values) {
  let to = begin + at / ${m}u * ${width * m}u + at % ${m}u;
  ${halvesOf(width)
    .map((half, h) => `let half${h} = vec4<f16>(v${half});`)
    .join('\n  ')}
  ${put('left[to', 'half', m)}
}
fn put_x(at: u32, v: Values) {
  let to = at / ${n}u * ${width * n}u + at % ${n}u;
  let scale = scales[at % ${n}u].x;
  ${halvesOf(width)
    .map(
      (half, h) => `let scaled${h} = v${half} * scale;
  let half${h} = vec4<f16>(scaled${h});
  let rest${h} = vec4<f16>(scaled${h} - vec4f(half${h}));`,
    )
    .join('\n  ')}
  ${put('right[to', 'half', n)}
  ${put(`right[${depth * n}u + to`, 'rest', n)}
}`;
}

/** Each of an invocation's loads of `lines` lines of a slice: its number, and whether there is such a load. */
function loadsOf(lines: number, width: number, depth: number, size: number) {
  const count = (lines * depth) / width;
  return range(ceilDiv(count, size)).map((i) => {
    const at = i === 0 ? 'lane' : `(lane + ${i * size}u)`;
    return { i, at, guard: (i + 1) * size > count ? `if (${at} < ${count}u) ` : '' };
  });
}

/** Declares or sets what an invocation loads of the slice that begins with load `from`. */
const fetches =
  ({ weights, width }: Product, { m, n }: MatrixConfig, depth: number, size: number) =>
  (declare: string, from: string): string =>
    [
      ...weights.map((name) => ({ name, lines: m, first: `columns * ${m}u` })),
      { name: 'x', lines: n, first: 'first' },
    ]
      .flatMap(({ name, lines, first }) =>
        loadsOf(lines, width, depth, size).map(
          ({ i, at }) =>
            `${declare}${name}_${i} = ${name}_values(${first} + ${at} % ${lines}u, ${from} + ${at} / ${lines}u);`,
        ),
      )
      .join('\n    ');

/** Puts it into workgroup memory. */
function puts(
  { weights, width }: Product,
  { m, n }: MatrixConfig,
  depth: number,
  size: number,
): string {
  const calls = (name: string, lines: number, put: string): string[] =>
    loadsOf(lines, width, depth, size).map(({ i, at, guard }) => {
      const call = `${put}${at}, ${name}_${i});`;
      return guard ? `${guard}{ ${call} }` : call;
    });
  return [
    ...weights.flatMap((w, i) => calls(w, m, `put_weight(${i * depth * m}u, `)),
    ...calls('x', n, 'put_x('),
  ].join('\n    ');
}

/** Multiplies a subgroup's share of a slice. */
function multiply({ weights }: Product, { m, n, k }: MatrixConfig, depth: number): string {
  const share = depth / PARTS;
  return `for (var at = subgroup * ${share}u; at < (subgroup + 1u) * ${share}u; at += ${k}u) {
        let half = ${loadRight(`at * ${n}u`, n)};
        let rest = ${loadRight(`(at + ${depth}u) * ${n}u`, n)};
        ${weights
          .map(
            (w, i) => `let ${w} = ${loadLeft(`(at + ${i * depth}u) * ${m}u`, m)};
        ${w}_sum = ${multiplyAdd(w, 'half', `${w}_sum`)};
        ${w}_sum = ${multiplyAdd(w, 'rest', `${w}_sum`)};`,
          )
          .join('\n        ')}
      }`;
}

/** `fn total(begin, row, quad)`: four sums of a row, from the subgroups in their order. */
const totalLib = ({ m, n }: MatrixConfig): string => `
fn total(begin: u32, row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  for (var at = begin; at < begin + ${PARTS * m * n}u; at += ${m * n}u) {
    let column = at + quad * ${4 * n}u + row;
    total += vec4f(${range(4)
      .map((c) => `sums[column + ${c * n}u]`)
      .join(', ')});
  }
  return total;
}`;

/** The end: every invocation stores some quads of columns. */
function store(
  { rows, outDim, firstQuad, weights }: Product,
  matrix: MatrixConfig,
  size: number,
): string {
  const { m, n } = matrix;
  const from = (i: number): string => `${i * PARTS * m * n}u`;
  return `if (subgroup < ${PARTS}u) {
    ${weights.map((w, i) => `${storeSum(`${from(i)} + subgroup * ${m * n}u`, `${w}_sum`, matrix)};`).join('\n    ')}
  }
  workgroupBarrier();
  for (var item = lane; item < ${(m * n) / 4}u; item += ${size}u) {
    let row = item % ${n}u;
    let quad = item / ${n}u;
    let i = columns * ${m / 4}u + quad;
    if (first + row < ${rows}u && i < ${quads(outDim)}u) {
      let scale = scales[row].y;
      store(first + row, ${firstQuad}u + i, ${weights.map((_, i) => `total(${from(i)}, row, quad) * scale`).join(', ')});
    }
  }`;
}
