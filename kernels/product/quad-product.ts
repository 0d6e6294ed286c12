/**
 * The product of feature maps for software adapters, which run four invocations as one SIMD vector.
 * There a load costs about as much as six multiply-adds wherever it points (SwiftShader gathers one
 * invocation after another), and a store to a variable as much as one. So four invocations share a
 * 16 x 16 tile: each loads four of its rows and four of its columns for four steps of k, and
 * multiplies its columns with its own rows and, swapped within the quad, with those of the others.
 */
import { ceilDiv, grid, range } from '../kernel.ts';
import { indexOf, type Loop, type MapProductParams, type Operand } from './map-product.ts';

/** Invocations that share a tile. */
const QUAD = 4;
/** Rows and columns that each of them loads. */
const EACH = 4;
const TILE = QUAD * EACH;
/** Steps of k in one expression: sums are loaded and stored once for all of them. */
const UNROLL = 4;
/** Software adapters run one workgroup per thread. */
const SIZE = 16;

/** How an invocation gets the row of the invocation whose place in the quad differs by these bits. */
const SWAPS = ['', 'quadSwapX', 'quadSwapY', 'quadSwapDiagonal'] as const;

/**
 * The loop. With `quads`, rows are swapped with quad operations (feature `subgroups`); without, every
 * invocation loads all sixteen. Sums run over k in order, whatever the sizes.
 */
export function quadLoop(params: MapProductParams, quads: boolean): Loop {
  const { batch, m, n, k, left, right } = params;
  const tilesM = ceilDiv(m, TILE);
  const tilesN = ceilDiv(n, TILE);
  const units = batch * tilesM * tilesN;
  const [gx, gy] = grid(ceilDiv(units, SIZE / QUAD));
  const each = range(EACH);
  // Rows that an invocation loads: its own four, or all.
  const loads = quads
    ? each.map((q) => [q, 0] as const)
    : each.flatMap((q) => range(QUAD).map((r) => [q, r] as const));
  const sums = each.flatMap((q) => range(QUAD).flatMap((r) => each.map((p) => ({ q, r, p }))));
  const rowName = (q: number, r: number): string => `row${q}_${r}`;
  const lines = [
    ...loads.map(([q, r]) =>
      start(rowName(q, r), 'left', left, `m + ${4 * q}u${quads ? '' : ` + ${r}u`}`, m),
    ),
    ...each.map((p) => start(`column${p}`, 'right', right, `n + ${4 * p}u`, n)),
  ];
  const step = (count: number, at: string): string => {
    const steps = range(count);
    const value = (side: Side, o: Operand, line: string, u: number): string =>
      `${o.name}_at(${line} + ${o.k === 1 ? `${at} + ${u}u` : `(${at} + ${u}u) * s.${side}_k`})`;
    return [
      ...each.flatMap((p) =>
        steps.map((u) => `let b${p}_${u} = ${value('right', right, `column${p}`, u)};`),
      ),
      ...loads.flatMap(([q, r]) =>
        steps.map((u) => `let a${q}_${r}_${u} = ${value('left', left, rowName(q, r), u)};`),
      ),
      ...(quads
        ? each.flatMap((q) =>
            [1, 2, 3].flatMap((r) =>
              steps.map((u) => `let a${q}_${r}_${u} = ${SWAPS[r]}(a${q}_0_${u});`),
            ),
          )
        : []),
      ...sums.map(
        ({ q, r, p }) =>
          `sum${q}_${r}_${p} = sum${q}_${r}_${p} + ${steps.map((u) => `b${p}_${u} * a${q}_${r}_${u}`).join(' + ')};`,
      ),
    ].join('\n    ');
  };
  const sizes = {
    ...{ m, n, k, tiles_m: tilesM, tiles_n: tilesN, units, across: gx },
    ...{ left_line: left.line, left_k: left.k, left_batch: left.batch },
    ...{ right_line: right.line, right_k: right.k, right_batch: right.batch },
  };
  const code = `
@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let place = lane % ${QUAD}u;
  // Quads past the end repeat the last tile: quad operations want all invocations.
  let unit = min(((group.y * s.across + group.x) * ${SIZE}u + lane) / ${QUAD}u, s.units - 1u);
  let first_n = (unit % s.tiles_n) * ${TILE}u;
  let first_m = ((unit / s.tiles_n) % s.tiles_m) * ${TILE}u;
  let batch = unit / (s.tiles_n * s.tiles_m);
  let n = first_n + place;
  let m = first_m${quads ? ' + place' : ''};
  ${lines.join('\n  ')}
  ${sums.map(({ q, r, p }) => `var sum${q}_${r}_${p} = 0.0;`).join(' ')}
  ${k % UNROLL ? `let whole = s.k / ${UNROLL}u * ${UNROLL}u;` : 'let whole = s.k;'}
  for (var k = 0u; k < whole; k += ${UNROLL}u) {
    ${step(UNROLL, 'k')}
  }
  ${
    k % UNROLL
      ? `for (var k = whole; k < s.k; k++) {
    ${step(1, 'k')}
  }`
      : ''
  }
  ${sums
    .map(({ q, r, p }) => {
      const row = `first_m + ${4 * q}u + ${quads ? `(place ^ ${r}u)` : `${r}u`}`;
      const tests = [
        ...(m % TILE ? [`${row} < s.m`] : []),
        ...(n % TILE ? [`n + ${4 * p}u < s.n`] : []),
      ];
      const call = `store(batch, ${row}, n + ${4 * p}u, sum${q}_${r}_${p});`;
      return tests.length ? `if (${tests.join(' && ')}) { ${call} }` : call;
    })
    .join('\n  ')}
}`;
  return { code, workgroups: [gx, gy, 1], features: quads ? ['subgroups'] : [], sizes };
}

type Side = 'left' | 'right';

/** Index of the first element of a line; lines past the end repeat the last. */
function start(name: string, side: Side, o: Operand, line: string, lines: number): string {
  const last = side === 'left' ? 's.m - 1u' : 's.n - 1u';
  const inside = lines % TILE ? `min(${line}, ${last})` : `(${line})`;
  return `let ${name} = ${indexOf(o, 'batch', inside, '', (axis) => `s.${side}_${axis}`)};`;
}
