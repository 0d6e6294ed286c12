/** How fast this adapter multiplies and adds: the floor under the VQ decoder. */
import { type Kernel, PORTABLE, range, type Variant } from '../../kernels/kernel.ts';
import { linear } from '../../kernels/product/linear.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { fill } from '../gpu/fill.ts';
import { buffersFor, launcher, runOnce } from '../gpu/launch.ts';
import { readRows, readValues } from '../gpu/values.ts';
import { assertFinite, Refusal } from '../refusal.ts';
import type { BenchDevice } from '../session.ts';

export interface Rate {
  readonly name: string;
  /** 10^9 operations a second; a multiply-add counts as two. */
  readonly gflops: number;
}

export interface ProductRate {
  /** Multiply-adds of registers with each other, no memory. */
  readonly registers: readonly Rate[];
  /** Products of two matrices of `side` x `side`, f32. */
  readonly matrices: readonly Rate[];
  readonly side: number;
  /** The best of the matrix products. */
  readonly bestGflops: number;
}

const ROUNDS = 512;
const CHAINS = 8;

/** Independent chains a = a * x + y in registers, of vectors of four. */
function chains(type: 'f32' | 'f16', size: number, groups: number): Kernel {
  const v = type === 'f32' ? 'vec4f' : 'vec4<f16>';
  return {
    name: 'chains',
    params: { type, size, groups },
    label: `multiply-adds ${type} by ${size}`,
    code: `${type === 'f16' ? 'enable f16;' : ''}
@group(0) @binding(0) var<storage, read> given: array<f32>; // factor, term
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = ${v}(${type}(given[0]));
  let y = ${v}(${type}(given[1]));
  ${range(CHAINS)
    .map((c) => `var a${c} = ${v}(${type}(${c}));`)
    .join(' ')}
  for (var i = 0u; i < ${ROUNDS}u; i++) {
    ${range(CHAINS)
      .map((c) => `a${c} = fma(a${c}, x, y);`)
      .join(' ')}
  }
  let sum = ${range(CHAINS)
    .map((c) => `a${c}`)
    .join(' + ')};
  out[id.x] = f32(sum.x + sum.y + sum.z + sum.w);
}`,
    bindings: {
      given: { role: 'in', dtype: 'f32', shape: [2] },
      out: { role: 'out', dtype: 'f32', shape: [size * groups] },
    },
    workgroups: [groups, 1, 1],
    ...(type === 'f16' && { features: ['shader-f16'] }),
  };
}

/**
 * out[m, n] = sum_k a[k, m] b[k, n]: each invocation makes a tile of rows x columns in registers.
 * Both operands lie with k outermost, so that every load is a vec4f.
 */
function tiled(side: number, rows: number, columns: number, size: number): Kernel {
  const across = side / columns;
  const units = across * (side / rows);
  const quads = side / 4;
  const [m, n] = [range(rows / 4), range(columns / 4)];
  return {
    name: 'tiled',
    params: { side, rows, columns, size },
    label: `tile ${rows} x ${columns} by ${size}`,
    code: `
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = (id.x / ${across}u) * ${rows / 4}u;
  let column = (id.x % ${across}u) * ${columns / 4}u;
  ${m.flatMap((i) => range(4).flatMap((r) => n.map((j) => `var s${4 * i + r}_${j} = vec4f();`))).join(' ')}
  for (var k = 0u; k < ${side}u; k++) {
    ${m.map((i) => `let a${i} = a[k * ${quads}u + row + ${i}u];`).join(' ')}
    ${n.map((j) => `let b${j} = b[k * ${quads}u + column + ${j}u];`).join(' ')}
    ${m.flatMap((i) => range(4).flatMap((r) => n.map((j) => `s${4 * i + r}_${j} += a${i}[${r}] * b${j};`))).join(' ')}
  }
  ${m.flatMap((i) => range(4).flatMap((r) => n.map((j) => `out[(row * 4u + ${4 * i + r}u) * ${quads}u + column + ${j}u] = s${4 * i + r}_${j};`))).join('\n  ')}
}`,
    bindings: {
      a: { role: 'in', dtype: 'f32', shape: [side, side] },
      b: { role: 'in', dtype: 'f32', shape: [side, side] },
      out: { role: 'out', dtype: 'f32', shape: [side, side] },
    },
    workgroups: [units / size, 1, 1],
  };
}

/**
 * out[m, n] = sum_k a[m, k] b[n, k]: each invocation makes a tile from dot products of four. Both
 * operands lie with k innermost, as activations and weights do.
 */
function dotted(side: number, rows: number, columns: number, size: number): Kernel {
  const across = side / columns;
  const units = across * (side / rows);
  const quads = side / 4;
  const [m, n] = [range(rows), range(columns)];
  return {
    name: 'dotted',
    params: { side, rows, columns, size },
    label: `dots ${rows} x ${columns} by ${size}`,
    code: `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = (id.x / ${across}u) * ${rows}u;
  let column = (id.x % ${across}u) * ${columns}u;
  ${m.flatMap((r) => n.map((c) => `var s${r}_${c} = 0.0;`)).join(' ')}
  for (var k = 0u; k < ${quads}u; k++) {
    ${n.map((c) => `let w${c} = weight[(column + ${c}u) * ${quads}u + k];`).join(' ')}
    ${m
      .map((r) =>
        [
          `let x${r} = x[(row + ${r}u) * ${quads}u + k];`,
          ...n.map((c) => `s${r}_${c} += dot(x${r}, w${c});`),
        ].join(' '),
      )
      .join('\n    ')}
  }
  ${m.flatMap((r) => n.map((c) => `out[(row + ${r}u) * ${side}u + column + ${c}u] = s${r}_${c};`)).join('\n  ')}
}`,
    bindings: {
      x: { role: 'in', dtype: 'f32', shape: [side, side] },
      weight: { role: 'in', dtype: 'f32', shape: [side, side] },
      out: { role: 'out', dtype: 'f32', shape: [side, side] },
    },
    workgroups: [units / size, 1, 1],
  };
}

export interface ProductOptions {
  readonly side: number;
  readonly runs: number;
  readonly leastUs: number;
  readonly software: boolean;
  readonly variant: Variant;
}

export async function measureProducts(
  d: BenchDevice,
  options: ProductOptions,
): Promise<ProductRate> {
  const { side } = options;
  const types = options.variant.f16 ? (['f32', 'f16'] as const) : (['f32'] as const);
  const registers: Rate[] = [];
  for (const type of types) {
    for (const size of [16, 64, 256]) registers.push(await rateOfChains(d, options, type, size));
  }
  const tiles = [
    [4, 4],
    [4, 8],
    [8, 4],
    [8, 8],
  ] as const;
  const sizes = options.software ? [16] : [64, 128];
  const outer = tiles.flatMap(([r, c]) => sizes.map((size) => tiled(side, r, c, size)));
  const inner = tiles.flatMap(([r, c]) =>
    (options.software ? [4, 16] : [64]).map((size) => dotted(side, r, c, size)),
  );
  const kernels = [...outer, ...inner];
  const sizesOf = { rows: side, inDim: side, outDim: side };
  const own = options.software
    ? linear({ ...sizesOf, variant: { reduce: 'serial', f16: false } })
    : matmul({ ...sizesOf, variant: PORTABLE });
  const matrices: Rate[] = [];
  for (const kernel of [...kernels, own]) matrices.push(await rateOfMatrix(d, options, kernel));
  const bestGflops = Math.max(...matrices.map(({ gflops }) => gflops));
  return { registers, matrices, side, bestGflops };
}

async function rateOfChains(
  { memory, clock, device }: BenchDevice,
  { runs, leastUs, software }: ProductOptions,
  type: 'f32' | 'f16',
  size: number,
): Promise<Rate> {
  const groups = software ? 64 : 4096;
  const kernel = chains(type, size, groups);
  const buffers = buffersFor(memory, kernel);
  try {
    const { given, out } = buffers;
    if (!given || !out) throw new RangeError('no buffers');
    // Every chain tends to y / (1 - x) = 1.
    device.queue.writeBuffer(given, 0, Float32Array.of(0.5, 0.5));
    const encode = await launcher(memory, kernel, [buffers]);
    runOnce(memory, encode);
    const made = await readValues(memory, out, { dtype: 'f32', shape: [size * groups] });
    const wrong = made.findIndex((v) => !(Math.abs(v - 4 * CHAINS) < 0.05));
    if (wrong >= 0) {
      throw new Refusal(
        `${kernel.label}: value ${wrong} is ${made[wrong]}, expected ${4 * CHAINS}`,
      );
    }
    const { us } = await clock.sample({ runs, leastUs }, encode);
    return { name: kernel.label, gflops: (size * groups * ROUNDS * CHAINS * 8) / us / 1000 };
  } finally {
    memory.free(Object.values(buffers));
  }
}

async function rateOfMatrix(
  { memory, clock }: BenchDevice,
  { side, runs, leastUs }: ProductOptions,
  kernel: Kernel,
): Promise<Rate> {
  const buffers = buffersFor(memory, kernel);
  try {
    for (const [i, [name, binding]] of Object.entries(kernel.bindings).entries()) {
      const buffer = buffers[name];
      if (binding.role === 'in' && buffer) {
        await fill(memory, { buffer }, 'f32', i, { centre: 0, spread: 1 });
      }
    }
    const encode = await launcher(memory, kernel, [buffers]);
    runOnce(memory, encode);
    await checkMatrix(memory, kernel, buffers, side);
    const { us } = await clock.sample({ runs, leastUs }, encode);
    return { name: kernel.label, gflops: (2 * side ** 3) / us / 1000 };
  } finally {
    memory.free(Object.values(buffers));
  }
}

/** Compares outputs of the first and the last row with sums in float64. */
async function checkMatrix(
  memory: BenchDevice['memory'],
  kernel: Kernel,
  buffers: Readonly<Record<string, GPUBuffer>>,
  side: number,
): Promise<void> {
  const stored = { dtype: 'f32', shape: [side, side] } as const;
  const { a, b, x, weight, out } = buffers;
  const [left, right] = [a ?? x, b ?? weight];
  if (!left || !right || !out) throw new RangeError(`${kernel.label} is no product`);
  const [l, r] = [await readValues(memory, left, stored), await readValues(memory, right, stored)];
  const outer = a !== undefined;
  for (const row of [0, side - 1]) {
    const made = await readRows(memory, out, stored, [row]);
    assertFinite(kernel.label, made);
    for (const column of [0, 1, 5, side / 2 + 2, side - 1]) {
      let expected = 0;
      for (let k = 0; k < side; k++) {
        expected += outer
          ? (l[k * side + row] ?? 0) * (r[k * side + column] ?? 0)
          : (l[row * side + k] ?? 0) * (r[column * side + k] ?? 0);
      }
      if (Math.abs((made[column] ?? Number.NaN) - expected) < 1e-3 * Math.sqrt(side)) continue;
      throw new Refusal(
        `${kernel.label}: output [${row}, ${column}] is ${made[column]}, expected ${expected}`,
      );
    }
  }
}
