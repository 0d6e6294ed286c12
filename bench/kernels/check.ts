/** A kernel of a graph, at the sizes it has there, against the oracle of its record. */
import { costOf } from '../../kernels/cost.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { compareOutputs, inputsOf } from '../../test/records/check.ts';
import { RECORDS } from '../../test/records/index.ts';
import type { KernelRecord, Values } from '../../test/records/record.ts';
import { runKernel } from '../../test/support/run-kernel.ts';
import { Refusal } from '../refusal.ts';

/** Squared error over squared values; sums of thousands of floats in another order stay far below. */
const MOST_NMSE = 1e-9;
/** With products of halves, rounded to halves. */
const MOST_NMSE_F16 = 1e-6;
/** Columns or channels that are compared, where a record's oracle can make some without the others. */
const MOST_SAMPLES = 24;
/** Operations that an oracle may take, about a second of JavaScript: fewer are compared of what takes more. */
const MOST_OPERATIONS = 3e8;

/**
 * Compares what a kernel makes with its oracle.
 * @param faulty A kernel to run in its place, to see that faults are found.
 * @returns Why it cannot be compared, if so.
 * @throws Refusal when an output disagrees.
 */
export async function checkKernel(
  device: GPUDevice,
  kernel: Kernel,
  faulty: Kernel = kernel,
): Promise<string | undefined> {
  const record = RECORDS.find(({ name }) => name === kernel.name);
  if (!record) return `test/records has no record of ${kernel.name}`;
  if (kernel.params.columns ?? kernel.params.held) return 'it makes a part of a larger weight';
  const { given, meant } = inputsOf(record, kernel, kernel.params);
  const made = await runKernel(device, faulty, given);
  const { params, pick } = samplingOf(record, kernel);
  const judge: KernelRecord = { ...record, tolerance: toleranceOf(record, kernel) };
  try {
    const some = pick(made);
    compareOutputs(judge, params, some, record.oracle(params, pick(meant), some));
  } catch (error) {
    throw new Refusal(`${kernel.label}: ${(error as Error).message}: nothing is reported`);
  }
  return undefined;
}

/** The records' tolerances are for small sums: here errors are judged by the size of the values. */
function toleranceOf({ tolerance }: KernelRecord, kernel: Kernel): KernelRecord['tolerance'] {
  const least = kernel.features?.includes('shader-f16') ? MOST_NMSE_F16 : MOST_NMSE;
  return (output, params) => {
    const own = tolerance(output, params);
    if (own === 'equal') return own;
    // An output that is stored in halves may differ by more.
    const nmse = Math.max(least, own.nmse);
    return { ...own, nmse, max: Number.POSITIVE_INFINITY };
  };
}

interface Sampling {
  /** Of a kernel that made the sample alone. */
  readonly params: object;
  /** The sample of inputs or outputs. */
  pick(values: Values): Values;
}

/** Some of the columns, where there are many: the ends, and some between that no power of two divides. */
function samplingOf({ sampled }: KernelRecord, kernel: Kernel): Sampling {
  const { params, bindings } = kernel;
  const count = Number(sampled && params[sampled.size]);
  const affordable = Math.floor((MOST_OPERATIONS * count) / (costOf(kernel).operations || 1));
  const most = Math.max(2, Math.min(MOST_SAMPLES, affordable));
  if (!sampled || !(count > most)) return { params, pick: (v) => v };
  const inner = Array.from({ length: most - 2 }, (_, i) =>
    Math.floor(((i + 0.37) * count) / (most - 2)),
  );
  const at = [...new Set([0, ...inner, count - 1])];
  return {
    params: { ...params, [sampled.size]: at.length },
    pick: (values) =>
      Object.fromEntries(
        Object.entries(values).map(([name, all]) => {
          const axis = sampled.axes[name];
          const shape = bindings[name]?.shape ?? [];
          return [name, axis === undefined ? all : taken(all, shape, axis, at)];
        }),
      ),
  };
}

/** Values at some places of an axis. */
function taken(
  values: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  at: readonly number[],
): Float64Array {
  const size = shape.at(axis) ?? 1;
  const inner = shape.slice(((axis + shape.length) % shape.length) + 1).reduce((n, d) => n * d, 1);
  const outer = values.length / (size * inner);
  const out = new Float64Array(outer * at.length * inner);
  for (let i = 0; i < out.length; i++) {
    const [row, rest] = [Math.floor(i / (at.length * inner)), i % (at.length * inner)];
    const place = at[Math.floor(rest / inner)] ?? 0;
    out[i] = values[(row * size + place) * inner + (rest % inner)] ?? Number.NaN;
  }
  return out;
}
