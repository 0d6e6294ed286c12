/**
 * The traffic of a skinny product and nothing else: out[r, o] = sum_i x[r, i] weight[o, i], each
 * weight read once. Several simple ways, to see what this adapter can do at best.
 */
import {
  ceilDiv,
  declare,
  enable,
  type Kernel,
  MAX_WORKGROUP_BYTES,
  type MatrixDType,
  range,
  type Variant,
} from '../../kernels/kernel.ts';
import {
  rowBinding,
  rowReader,
  variantFeatures,
  weightBindings,
} from '../../kernels/lib/accessors.ts';

export interface StreamShape {
  readonly rows: number;
  readonly outDim: number;
  readonly inDim: number;
  readonly dtype: MatrixDType;
}

export interface StreamWay {
  /** Who shares the sum of an output: nobody, a subgroup, or a workgroup and its subgroups. */
  readonly team: 'one' | 'subgroup' | 'workgroup';
  /** Invocations in a workgroup. */
  readonly size: number;
  /** Outputs of a row that a team makes. */
  readonly columns: number;
  /** Rows that a team makes; the weight is read again for the others. */
  readonly rowTile: number;
}

export const nameOfWay = ({ team, size, columns, rowTile }: StreamWay): string =>
  `${team} ${columns} columns x ${rowTile} rows by ${size}`;

/** The ways worth trying on a device. */
export function streamWays(rows: number, software: boolean, subgroups: boolean): StreamWay[] {
  const tiles = rows > 8 ? [8, rows] : [rows];
  const ways = tiles.flatMap((rowTile) => {
    const way = (team: StreamWay['team'], size: number, columns: number): StreamWay => ({
      ...{ team, size, columns, rowTile },
    });
    const one = (software ? [1, 4, 16] : [64]).map((size) => way('one', size, 4));
    if (!subgroups) return [...one, ...[64, 128, 256].map((size) => way('workgroup', size, 4))];
    const sizes = software ? [4, 16] : [64, 128, 256];
    const columns = software ? [4, 8] : [1, 2, 4, 8];
    const shared = sizes.flatMap((size) => columns.map((c) => way('subgroup', size, c)));
    if (software) return [...one, ...shared];
    return [...shared, ...sizes.flatMap((size) => [2, 4].map((c) => way('workgroup', size, c)))];
  });
  return ways.filter(
    ({ team, size, columns, rowTile }) =>
      team !== 'workgroup' || size * columns * rowTile * 4 <= MAX_WORKGROUP_BYTES,
  );
}

const sumOf = (r: number, c: number): string => `s${r}_${c}`;

export function streamKernel(shape: StreamShape, way: StreamWay, variant: Variant): Kernel {
  const { rows, outDim, inDim, dtype } = shape;
  const { team, size, columns, rowTile } = way;
  const bindings = {
    x: rowBinding('in', [rows, inDim]),
    ...weightBindings('weight', [outDim, inDim], dtype, { width: 4, nativeF16: variant.f16 }),
    out: { role: 'out', dtype: 'f32', shape: [rows, outDim] } as const,
  };
  const reduce = team === 'one' ? 'serial' : team === 'subgroup' ? 'subgroup' : variant.reduce;
  const features = variantFeatures({ ...variant, reduce }, dtype === 'f16');
  const shared = reduce === 'subgroup';
  const units = ceilDiv(outDim, columns);
  const sums = range(rowTile).flatMap((r) => range(columns).map((c) => sumOf(r, c)));
  const [step, first] = {
    one: ['1u', '0u'],
    subgroup: ['lanes', 'me'],
    workgroup: [`${size}u`, 'lane'],
  }[team] as [string, string];
  // Workgroups are as many as the smallest subgroup needs; with larger ones, each does less.
  const teams = team === 'one' ? size : team === 'subgroup' ? ceilDiv(size, 4) : 1;
  const mine = {
    one: `group.x * ${size}u + lane`,
    subgroup: `group.x * (${size}u / lanes) + lane / lanes`,
    workgroup: 'group.x',
  }[team];
  const code = `${enable(features)}
${shared ? 'diagnostic(off, subgroup_uniformity);' : ''}
${declare(bindings)}
${rowReader({ name: 'weight', dtype, length: inDim, nativeF16: variant.f16 })}
${team === 'workgroup' ? `var<workgroup> parts: array<f32, ${size * sums.length}>;` : ''}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32${
    shared ? ', @builtin(subgroup_size) lanes: u32, @builtin(subgroup_invocation_id) me: u32' : ''
  }) {
  let row = group.z * ${rowTile}u;
  for (var unit = ${mine}; unit < ${units}u; unit += groups.x * ${
    team === 'subgroup' ? `(${size}u / lanes)` : `${team === 'one' ? size : 1}u`
  }) {
    ${range(columns)
      .map((c) => `let column${c} = min(unit * ${columns}u + ${c}u, ${outDim - 1}u);`)
      .join(' ')}
    ${sums.map((s) => `var ${s} = 0.0;`).join(' ')}
    for (var k = ${first}; k < ${inDim / 4}u; k += ${step}) {
      ${range(columns)
        .map((c) => `let w${c} = weight_at(column${c}, k);`)
        .join(' ')}
      ${range(rowTile)
        .map((r) =>
          [
            `let x${r} = x[(row + ${r}u) * ${inDim / 4}u + k];`,
            ...range(columns).map((c) => `${sumOf(r, c)} += dot(x${r}, w${c});`),
          ].join(' '),
        )
        .join('\n      ')}
    }
    ${shared ? sums.map((s) => `${s} = subgroupAdd(${s});`).join(' ') : ''}
    ${team === 'workgroup' ? acrossWorkgroup(sums, size, shared) : ''}
    if (${team === 'one' ? 'true' : `${team === 'subgroup' ? 'me' : 'lane'} == 0u`}) {
      ${range(rowTile)
        .flatMap((r) =>
          range(columns).map(
            (c) => `out[(row + ${r}u) * ${outDim}u + column${c}] = ${sumOf(r, c)};`,
          ),
        )
        .join('\n      ')}
    }
  }
}`;
  return {
    name: 'stream',
    params: { dtype, inDim, outDim, rows, ...way },
    label: `stream ${dtype}[${outDim},${inDim}] x ${rows}: ${nameOfWay(way)}`,
    code,
    bindings,
    workgroups: [ceilDiv(units, teams), 1, rows / rowTile],
    features,
  };
}

/** Adds what the subgroups of a workgroup have, or its invocations where there are no subgroups. */
function acrossWorkgroup(sums: readonly string[], size: number, shared: boolean): string {
  const count = shared ? `(${size}u / lanes)` : `${size}u`;
  return `workgroupBarrier();
    ${shared ? 'if (me == 0u) {' : '{'}
      let at = (${shared ? 'lane / lanes' : 'lane'}) * ${sums.length}u;
      ${sums.map((s, i) => `parts[at + ${i}u] = ${s};`).join(' ')}
    }
    workgroupBarrier();
    if (lane == 0u) {
      for (var p = 1u; p < ${count}; p++) {
        ${sums.map((s, i) => `${s} += parts[p * ${sums.length}u + ${i}u];`).join(' ')}
      }
    }`;
}
