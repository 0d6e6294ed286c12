/** The best rate at which weights can be read for a product of few rows. */
import { byteLength } from '../../kernels/cost.ts';
import type { Binding, Kernel } from '../../kernels/kernel.ts';
import { scalesOf } from '../../kernels/lib/accessors.ts';
import { variantOf } from '../../src/index.ts';
import { fillBindings } from '../gpu/inputs.ts';
import { buffersFor, launcher, runOnce } from '../gpu/launch.ts';
import { readRows } from '../gpu/values.ts';
import { assertFinite, Refusal } from '../refusal.ts';
import type { BenchDevice } from '../session.ts';
import {
  nameOfWay,
  type StreamShape,
  type StreamWay,
  streamKernel,
  streamWays,
} from './stream-kernels.ts';

export interface StreamRate extends StreamShape {
  /** Bytes of the weight, read once, a second. */
  readonly gbs: number;
  readonly us: number;
  /** The best way, and what the others reach. */
  readonly way: string;
  readonly others: readonly { readonly way: string; readonly gbs: number }[];
}

export interface StreamOptions {
  readonly runs: number;
  readonly leastUs: number;
  readonly software: boolean;
  /** Bytes of weights that are read in turn, so that caches do not hold them. */
  readonly coldBytes: number;
}

/** Ways of the first shape that are tried on the others with as many rows. */
const KEPT = 3;
const MOST_SETS = 64;

/** @param shapes Those with as many rows stand together. */
export async function measureStreams(
  d: BenchDevice,
  shapes: readonly StreamShape[],
  options: StreamOptions,
): Promise<StreamRate[]> {
  const kept = new Map<number, readonly StreamWay[]>();
  const rates: StreamRate[] = [];
  for (const shape of shapes) {
    const all = streamWays(shape.rows, options.software, d.device.features.has('subgroups'));
    const { rate, best } = await measureShape(d, shape, kept.get(shape.rows) ?? all, options);
    kept.set(shape.rows, kept.get(shape.rows) ?? best.slice(0, KEPT));
    rates.push(rate);
  }
  return rates;
}

async function measureShape(
  { memory, device, clock }: BenchDevice,
  shape: StreamShape,
  ways: readonly StreamWay[],
  { runs, leastUs, coldBytes }: StreamOptions,
): Promise<{ rate: StreamRate; best: StreamWay[] }> {
  const variant = variantOf(device);
  const kernels = ways.map((way) => ({ way, kernel: streamKernel(shape, way, variant) }));
  const [first] = kernels;
  if (!first) throw new RangeError('no way to read weights');
  const bytes = weightBytes(first.kernel);
  const count = Math.max(1, Math.min(MOST_SETS, Math.ceil(coldBytes / bytes)));
  const sets = Array.from({ length: count }, () => buffersFor(memory, first.kernel));
  try {
    for (const set of sets) {
      await fillBindings(memory, first.kernel, set);
    }
    const expected = await sampled(memory, first.kernel, sets[0] ?? {}, shape);
    const found: { way: StreamWay; us: number }[] = [];
    for (const { way, kernel } of kernels) {
      const encode = await launcher(memory, kernel, sets);
      runOnce(memory, encode);
      await check(memory, kernel, sets[0] ?? {}, shape, expected);
      const { us } = await clock.sample({ runs, leastUs }, encode);
      found.push({ way, us });
    }
    found.sort((a, b) => a.us - b.us);
    const rates = found.map(({ way, us }) => ({ way: nameOfWay(way), gbs: bytes / us / 1000 }));
    const [top] = rates;
    const us = found[0]?.us ?? Number.NaN;
    return {
      rate: { ...shape, gbs: top?.gbs ?? 0, us, way: top?.way ?? '', others: rates.slice(1) },
      best: found.map(({ way }) => way),
    };
  } finally {
    for (const set of sets) memory.free(Object.values(set));
  }
}

/** Bytes of a kernel's weight with its scales. */
const weightBytes = ({ bindings }: Kernel): number =>
  Object.entries<Binding>(bindings)
    .filter(([name]) => name === 'weight' || name === scalesOf('weight'))
    .reduce((sum, [, binding]) => sum + byteLength(binding), 0);

const columnsOf = ({ outDim }: StreamShape): number[] => [
  ...new Set([0, 1, 5, 7, outDim >> 1, outDim - 5, outDim - 1]),
];

/** What some columns should be, [rows, columns], in float64. */
async function sampled(
  memory: BenchDevice['memory'],
  { bindings }: Kernel,
  { x, weight, weightScales }: Readonly<Record<string, GPUBuffer>>,
  shape: StreamShape,
): Promise<Float64Array> {
  const { rows, inDim } = shape;
  const [given, stored] = [bindings.x, bindings.weight];
  if (!x || !weight || !given || !stored) throw new RangeError('no operands');
  const columns = columnsOf(shape);
  const w = await readRows(memory, weight, stored, columns, weightScales);
  const v = await readRows(memory, x, given, [...Array(rows).keys()]);
  const out = new Float64Array(rows * columns.length);
  for (let i = 0; i < out.length; i++) {
    const [r, c] = [Math.floor(i / columns.length), i % columns.length];
    for (let k = 0; k < inDim; k++) {
      out[i] = (out[i] ?? 0) + (v[r * inDim + k] ?? 0) * (w[c * inDim + k] ?? 0);
    }
  }
  return out;
}

async function check(
  memory: BenchDevice['memory'],
  kernel: Kernel,
  { out }: Readonly<Record<string, GPUBuffer>>,
  shape: StreamShape,
  expected: Float64Array,
): Promise<void> {
  const { rows, outDim } = shape;
  if (!out) throw new RangeError('no output');
  const stored = { dtype: 'f32', shape: [rows, outDim] } as const;
  const made = await readRows(memory, out, stored, [...Array(rows).keys()]);
  assertFinite(kernel.label, made);
  const columns = columnsOf(shape);
  for (let i = 0; i < expected.length; i++) {
    const [r, c] = [Math.floor(i / columns.length), columns[i % columns.length] ?? 0];
    const [got, wanted] = [made[r * outDim + c] ?? Number.NaN, expected[i] ?? Number.NaN];
    if (Math.abs(got - wanted) < 1e-3) continue;
    throw new Refusal(`${kernel.label}: output [${r}, ${c}] is ${got}, expected ${wanted}`);
  }
}
