/** Time of one kernel, and what of the machine's limits it reaches. */
import { bind } from '../../kernels/compile.ts';
import { byteLength, costOf } from '../../kernels/cost.ts';
import type { Binding, Kernel } from '../../kernels/kernel.ts';
import { packRows } from '../../kernels/lib/row-table.ts';
import { NOT_DRAWN } from '../../kernels/sampler/drawn.ts';
import {
  type DrawingSequence,
  packSequences,
  type Sampling,
} from '../../kernels/sampler/sequence-table.ts';
import { packStart, packWindows, type Window } from '../../kernels/sampler/window-table.ts';
import { floorUs } from '../../src/gpu/limits.ts';
import { pipelineFor } from '../../src/gpu/pipelines.ts';
import { Filler } from '../../src/gpu/random.ts';
import { sample } from '../../src/gpu/sample.ts';
import { deviceLimits, type Limits } from '../limits.ts';
import { weightSpread } from '../random-network.ts';
import type { BenchDevice, Effort } from '../session.ts';
import type { KernelCase } from './cases.ts';

export interface KernelResult {
  readonly name: string;
  readonly use: string;
  readonly label: string;
  /** How often it is dispatched there. */
  readonly dispatches: number;
  /** One dispatch: best and median. */
  readonly us: number;
  readonly medianUs: number;
  readonly runs: number;
  /** What one dispatch cannot avoid. */
  readonly bytes: number;
  readonly operations: number;
  readonly gbs: number;
  readonly gflops: number;
  readonly floorUs: number;
  /** Which of the two the floor comes from. */
  readonly bound: 'memory' | 'products';
  /** floorUs / us. */
  readonly share: number;
}

const MOST_SETS = 32;
const CODES = 16384;
const CLASSES = 1000;

/** Rows of a step stand in the middle of the image. */
export async function timeKernel(
  { memory, clock }: Pick<BenchDevice, 'memory' | 'clock'>,
  { name, use, kernel, dispatches, config, sampling }: KernelCase,
  limits: Limits,
  effort: Effort,
): Promise<KernelResult> {
  const { device } = memory;
  const size = Object.values<Binding>(kernel.bindings).reduce((n, b) => n + byteLength(b), 0);
  // What the tokenizer reads was just written by the kernel before; weights of a step come from memory.
  const count = config ? Math.min(MOST_SETS, Math.ceil(effort.coldBytes / size)) : 1;
  const integers = integersOf(kernel, (config?.blockSize ?? 0) >> 1, sampling);
  const sets = Array.from({ length: count }, () => buffersOf(memory, kernel));
  try {
    fill(memory, kernel, sets);
    for (const set of sets) {
      for (const [binding, values] of Object.entries(integers)) {
        const buffer = set[binding];
        if (buffer) device.queue.writeBuffer(buffer, 0, values);
      }
    }
    const pipeline = await pipelineFor(device, kernel);
    const groups = sets.map((set) => {
      const bound = Object.entries(set).map(([n, buffer]) => [n, { buffer }] as const);
      return bind(device, kernel, pipeline, Object.fromEntries(bound));
    });
    const { us, medianUs, runs } = await sample(clock, effort, (pass, index) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, groups[index % groups.length] ?? null);
      pass.dispatchWorkgroups(...kernel.workgroups);
    });
    const cost = costOf(kernel);
    const least = deviceLimits(limits);
    const floor = floorUs(cost, least);
    const bound = floorUs({ ...cost, operations: 0 }, least) < floor ? 'products' : 'memory';
    const [gbs, gflops] = [cost.bytes / us / 1000, cost.operations / us / 1000];
    return {
      ...{ name, use, label: kernel.label, dispatches, us, medianUs, runs, ...cost },
      ...{ gbs, gflops, floorUs: floor, bound, share: floor / us },
    };
  } finally {
    for (const set of sets) memory.free(Object.values(set));
  }
}

type Buffers = Readonly<Record<string, GPUBuffer>>;

function buffersOf(memory: BenchDevice['memory'], { label, bindings }: Kernel): Buffers {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  return Object.fromEntries(
    Object.entries<Binding>(bindings).map(([name, binding]) => [
      name,
      memory.create('temp', `${label} ${name}`, byteLength(binding), usage),
    ]),
  );
}

/** Activations in -1 .. 1, weights small enough that sums are of the same size. */
function fill(memory: BenchDevice['memory'], { bindings }: Kernel, sets: readonly Buffers[]): void {
  const filler = new Filler(memory);
  for (const [i, [name, binding]] of Object.entries<Binding>(bindings).entries()) {
    if (binding.role === 'out') continue;
    const isWeight = /^(weight|w1|w3|gain|bias|codebook)(Scales)?$|Table$/.test(name);
    const quants = bindings[name.replace(/Scales$/, '')];
    const scaled = quants === binding ? undefined : quants;
    const spread = isWeight ? weightSpread(name, binding, scaled) : undefined;
    for (const set of sets) {
      const buffer = set[name];
      if (buffer) filler.fill({ buffer }, binding.dtype, spread, i);
    }
  }
  filler.destroy();
}

/** Contents of tables of integers; others hold zeros. */
function integersOf(
  { bindings }: Kernel,
  position: number,
  sampling: Partial<Sampling> = {},
): Record<string, Uint32Array<ArrayBuffer>> {
  const count = (name: string): number => bindings[name]?.shape.reduce((n, d) => n * d, 1) ?? 0;
  // A step without a common factor with the number of codes visits each of them once.
  const codes = (name: string) =>
    Uint32Array.from({ length: count(name) }, (_, i) => (i * 6151) % CODES);
  const rows = Array.from({ length: bindings.rowTable?.shape[0] ?? 0 }, (_, slot) => {
    return { slot, position, sequence: slot, condition: (slot * 37) % CLASSES };
  });
  const draws = bindings.sequenceTable?.shape[0] ?? 0;
  const sequences = Array.from(
    { length: draws },
    (_, i): DrawingSequence => ({
      ...{ seed: 7 + i, cfgScale: 2, cfgInterval: -1, temperature: 1 },
      ...{ row: i, uncondRow: rows.length === 2 * draws ? draws + i : undefined },
      ...{ topK: 2000, topP: 1, greedy: false, given: 0, ...sampling },
    }),
  );
  // With nothing drawn the rows stay where they are, however often they are placed.
  const windows = rows.slice(0, bindings.windowTable?.shape[0] ?? 0).map((_, row): Window => {
    return { sequence: row, row, draw: row, count: 1 };
  });
  return {
    ...(bindings.windowTable && { windowTable: packWindows(windows) }),
    ...(bindings.progress && { progress: repeated(count('progress'), packStart(0, position)) }),
    ...(bindings.drawn && { drawn: new Uint32Array(count('drawn')).fill(NOT_DRAWN) }),
    ...(bindings.rowTable && { rowTable: packRows(rows) }),
    ...(bindings.sequenceTable && { sequenceTable: packSequences(sequences) }),
    ...(bindings.tokens && { tokens: codes('tokens') }),
    ...(bindings.codes && { codes: codes('codes') }),
  };
}

/** The same words again and again. */
const repeated = (length: number, words: Uint32Array): Uint32Array<ArrayBuffer> =>
  Uint32Array.from({ length }, (_, i) => words[i % words.length] ?? 0);
