/**
 * The inner loop of every product of few rows with a weight matrix [outDim, inDim]: each unit of
 * work is four output columns of up to `rowTile` rows, so a weight is read once for all of them.
 * The sum over inDim runs in the same order whatever the number of rows: products are
 * batch-invariant.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  assert,
  assertSizes,
  type Bindings,
  ceilDiv,
  declare,
  enable,
  grid,
  type Kernel,
  type MatrixDType,
  range,
  type Variant,
} from '../kernel.ts';
import { assertIndexable } from './indexable.ts';
import { laneBuiltins, reducer } from './reduce.ts';
import { quads, rowReader, variantFeatures } from './rows.ts';
import { weightReader } from './weight-rows.ts';

/**
 * Some of the columns of a product, for weights that are larger than one binding: the kernel reads
 * `count` rows of the weight and writes as many columns. The first part has the role `out` like the
 * whole; the others add to what is there.
 */
export interface Columns {
  /** The first column; a multiple of 4. */
  readonly first: number;
  /** A multiple of 4, but for the last part. */
  readonly count: number;
}

export interface ProductParams {
  /** Label without sizes. */
  readonly name: string;
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  /** Which columns this kernel makes; default all. */
  readonly columns?: Columns;
  readonly weightDtype: MatrixDType;
  /** Names of the weight bindings; each gives one sum, all over the same input. */
  readonly weights: readonly [string] | readonly [string, string];
  /** RMSNorm of the input rows by the binding `gain` first, with this eps. */
  readonly normEps?: number;
  readonly variant: Variant;
}

/** Most rows a unit keeps in registers; 4 columns x 8 rows of f32 sums. */
const ROW_TILE = 8;
/** Software adapters run one workgroup per thread: small ones keep both cores busy. */
const SERIAL_SIZE = 16;
const SHARED_SIZE = 64;

/**
 * Builds a kernel around the loop.
 * @param bindings Must hold `x` [rows, inDim] f32, the weights, and `gain` [inDim] when normalised.
 * A weight has the rows of `columns` only; the tensors of the epilogue are whole.
 * @param epilogue WGSL that defines `fn store(row: u32, i: u32, a: vec4f)` (and a second vec4f with
 * two weights): what to do with columns 4i .. 4i+3 of a row. Columns past outDim hold garbage.
 */
export function productKernel<B extends Bindings>(
  params: ProductParams,
  bindings: B,
  epilogue: string,
): Kernel<B> {
  const { name, rows, inDim, weightDtype, weights, normEps, variant } = params;
  const { first, count: outDim } = columnsOf(name, params);
  assertSizes(name, { rows, inDim });
  assertIndexable(name, bindings);
  const norm = normEps !== undefined;
  assert(
    !norm || (normEps >= 0 && normEps < Infinity),
    `${name}: "normEps" expected a number from 0 up, got ${normEps}`,
  );
  const rowTile = Math.min(rows, ROW_TILE);
  const serial = variant.reduce === 'serial';
  const size = serial ? SERIAL_SIZE : SHARED_SIZE;
  const tiles = ceilDiv(rows, rowTile);
  const units = ceilDiv(quads(outDim), serial ? size : 1);
  const [gx, gy] = grid(units);
  const features = variantFeatures(variant, weightDtype === 'f16');
  const sums = weights.flatMap((w) => range(rowTile).map((r) => `${w}_sum${r}`));
  const total = serial
    ? undefined
    : reducer({ name: 'total', type: 'vec4f', op: 'sum', size, reduce: variant.reduce });
  const squares = range(rowTile).map((r) => `square${r}`);
  const code = wgsl`${enable(features)}
${declare(bindings)}
const EPS = f32(${normEps ?? 0});
${rowReader({ name: 'x', dtype: 'f32', length: inDim })}
${norm ? rowReader({ name: 'gain', dtype: 'f32', length: inDim }) : ''}
${weights.map((w) => weightReader({ name: w, dtype: weightDtype, length: inDim, nativeF16: variant.f16 })).join('')}
${total?.code ?? ''}
${epilogue}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(variant.reduce)}) {
  let unit = group.y * ${gx}u + group.x;
#if ${serial}
  let i = unit * ${size}u + lane;
  if (i >= ${quads(outDim)}u) { return; }
#else
  if (unit >= ${quads(outDim)}u) { return; }
  let i = unit;
#endif
  let first = group.z * ${rowTile}u;
  ${range(rowTile)
    .map((r) => `let row${r} = min(first + ${r}u, ${rows - 1}u);`)
    .join(' ')}
  ${range(4)
    .map((c) => `let column${c} = min(i * 4u + ${c}u, ${outDim - 1}u);`)
    .join(' ')}
  ${sums.map((s) => `var ${s} = vec4f();`).join(' ')}
  ${norm ? squares.map((s) => `var ${s} = 0.0;`).join(' ') : ''}
  for (var k = ${serial ? '0u' : 'lane'}; k < ${quads(inDim)}u; k += ${serial ? 1 : size}u) {
    ${norm ? 'let g = gain_at(0u, k);' : ''}
    ${weights
      .flatMap((w) => range(4).map((c) => `let ${w}_${c} = ${w}_at(column${c}, k);`))
      .join('\n    ')}
    ${range(rowTile)
      .map((r) =>
        [
          `let raw${r} = x_at(row${r}, k);`,
          norm
            ? `square${r} += dot(raw${r}, raw${r}); let v${r} = raw${r} * g;`
            : `let v${r} = raw${r};`,
          ...weights.map(
            (w) =>
              `${w}_sum${r} += vec4f(${range(4)
                .map((c) => `dot(${w}_${c}, v${r})`)
                .join(', ')});`,
          ),
        ].join(' '),
      )
      .join('\n    ')}
  }
  ${total ? sums.map((s) => `${s} = ${total.call(s)};`).join('\n  ') : ''}
  ${
    norm
      ? range(rowTile)
          .map((r) => {
            const square = total
              ? `${total.call(`vec4f(square${r}, 0.0, 0.0, 0.0)`)}.x`
              : `square${r}`;
            const scaled = weights.map((w) => `${w}_sum${r} *= scale${r};`).join(' ');
            return `let scale${r} = inverseSqrt(${square} / f32(${inDim}) + EPS); ${scaled}`;
          })
          .join('\n  ')
      : ''
  }
  ${serial ? '' : 'if (lane > 0u) { return; }'}
  ${range(rowTile)
    .map((r) => {
      const call = `store(row${r}, ${first > 0 ? `i + ${first / 4}u` : 'i'}, ${weights.map((w) => `${w}_sum${r}`).join(', ')});`;
      return rows % rowTile === 0 ? call : `if (first + ${r}u < ${rows}u) { ${call} }`;
    })
    .join('\n  ')}
}`;
  return {
    label: `${name} ${weightDtype}[${outDim},${inDim}]${first > 0 ? ` from ${first}` : ''} x ${rows}`,
    code,
    bindings,
    workgroups: [gx, gy, tiles],
    features,
  };
}

/**
 * The columns a kernel makes; all by default.
 * @throws RangeError when they are not some of those of the product.
 */
export function columnsOf(
  name: string,
  { outDim, columns }: { readonly outDim: number; readonly columns?: Columns | undefined },
): Columns {
  assertSizes(name, { outDim });
  const { first, count } = columns ?? { first: 0, count: outDim };
  assertSizes(name, { columns: count });
  const end = first + count;
  assert(
    Number.isInteger(first) && first >= 0 && first % 4 === 0 && end <= outDim,
    `${name}: columns ${first} .. ${end - 1} expected to begin at a multiple of 4 and to end below ${outDim}`,
  );
  assert(
    end === outDim || count % 4 === 0,
    `${name}: a part that is not the last expected a multiple of 4 columns, got ${count}`,
  );
  return { first, count };
}
