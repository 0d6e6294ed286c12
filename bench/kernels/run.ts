/** One kernel with its buffers, after a dispatch: what checks look at. */
import type { Binding, Kernel } from '../../kernels/kernel.ts';
import { scalesOf } from '../../kernels/lib/accessors.ts';
import type { DrawingSequence } from '../../kernels/sampler/sequence-table.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import { difference } from '../../test/oracle/compare.ts';
import { type Numbers, readRows, readValues } from '../gpu/values.ts';
import { assertFinite, Refusal } from '../refusal.ts';

/** Squared error over squared values; sums of thousands of floats in another order stay far below. */
const MOST_NMSE = 1e-9;
/** With products of halves, rounded to halves. */
const MOST_NMSE_F16 = 1e-6;

export class KernelRun {
  readonly kernel: Kernel;
  /** Settings of the sequences. */
  readonly sequences: readonly DrawingSequence[];
  readonly #memory: Memory;
  readonly #buffers: Readonly<Record<string, GPUBuffer>>;
  readonly #before: Readonly<Record<string, Numbers>>;

  /** @param before Contents before the dispatch of what it changes and this bench wrote. */
  constructor(
    memory: Memory,
    kernel: Kernel,
    buffers: Readonly<Record<string, GPUBuffer>>,
    before: Readonly<Record<string, Numbers>>,
    sequences: readonly DrawingSequence[],
  ) {
    this.#memory = memory;
    this.kernel = kernel;
    this.#buffers = buffers;
    this.#before = before;
    this.sequences = sequences;
  }

  has(name: string): boolean {
    return name in this.kernel.bindings;
  }

  binding(name: string): Binding {
    const binding = this.kernel.bindings[name];
    if (!binding) throw new RangeError(`${this.kernel.label} has no "${name}"`);
    return binding;
  }

  /** Sizes of a binding; those that it lacks are 1. */
  shape(name: string): readonly [number, number, number, number, number] {
    const [a = 1, b = 1, c = 1, d = 1, e = 1] = this.binding(name).shape;
    return [a, b, c, d, e];
  }

  /** What stood in a binding before the dispatch. */
  before(name: string): Numbers {
    const values = this.#before[name];
    if (!values) throw new RangeError(`${this.kernel.label}: "${name}" was not kept`);
    return values;
  }

  /** All values, or `count` from `first`. */
  values(name: string, first = 0, count?: number): Promise<Numbers> {
    return readValues(this.#memory, this.#buffer(name), this.binding(name), first, count);
  }

  rows(name: string, rows: readonly number[]): Promise<Float32Array> {
    const scales = this.#buffers[scalesOf(name)];
    return readRows(this.#memory, this.#buffer(name), this.binding(name), rows, scales);
  }

  /** @throws Refusal unless all values are finite and close to what they should be. */
  close(what: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
    const name = `${this.kernel.label}: ${what}`;
    assertFinite(name, got);
    const most = this.kernel.features?.includes('shader-f16') ? MOST_NMSE_F16 : MOST_NMSE;
    const { nmse, at } = difference(got, expected);
    if (nmse <= most) return;
    throw new Refusal(
      `${name}: is not what the oracle makes (squared error ${nmse.toExponential(1)} of the squares, ` +
        `most ${most}; value ${at} is ${got[at]}, expected ${expected[at]}): nothing is reported`,
    );
  }

  /** @throws Refusal unless all values are the same. */
  same(what: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
    for (let i = 0; i < Math.max(got.length, expected.length); i++) {
      if (got[i] === expected[i]) continue;
      throw new Refusal(
        `${this.kernel.label}: ${what} ${i} is ${got[i]}, expected ${expected[i]}: nothing is reported`,
      );
    }
  }

  /** Changes the first value of a binding, to see that checks find it. */
  spoil(name: string, value = 12345): void {
    const { dtype } = this.binding(name);
    const words = dtype === 'f32' ? Float32Array.of(value) : Uint32Array.of(value);
    this.#memory.device.queue.writeBuffer(this.#buffer(name), 0, words);
  }

  #buffer(name: string): GPUBuffer {
    const buffer = this.#buffers[name];
    if (!buffer) throw new RangeError(`${this.kernel.label}: no buffer for "${name}"`);
    return buffer;
  }
}

/** About `most` of 0 .. count - 1: the ends, and some between that no power of two divides evenly. */
export function samples(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  const spread = Array.from({ length: most - 2 }, (_, i) =>
    Math.floor(((i + 0.37) * count) / (most - 2)),
  );
  return [...new Set([0, ...spread, count - 1])].sort((a, b) => a - b);
}

/** Columns of [rows, length] that stand at `at`, as [rows, at.length]. */
export function pick(
  values: ArrayLike<number>,
  length: number,
  at: readonly number[],
): Float64Array {
  const rows = values.length / length;
  const out = new Float64Array(rows * at.length);
  for (let i = 0; i < out.length; i++) {
    const column = at[i % at.length] ?? 0;
    out[i] = values[Math.floor(i / at.length) * length + column] ?? Number.NaN;
  }
  return out;
}
