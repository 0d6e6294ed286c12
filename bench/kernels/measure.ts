/** One kernel: its output checked, then its time and what of the machine's limits it reaches. */
import { byteLength, costOf } from '../../kernels/cost.ts';
import type { Binding, Kernel } from '../../kernels/kernel.ts';
import { packRows } from '../../kernels/lib/row-table.ts';
import { type DrawingSequence, packSequences } from '../../kernels/sampler/sequence-table.ts';
import { floorUs } from '../../src/gpu/limits.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import type { Spread } from '../../src/gpu/random.ts';
import { sample } from '../../src/gpu/sample.ts';
import type { GptConfig } from '../../src/models/gpt-config.ts';
import { ropeTable } from '../../src/models/rope-table.ts';
import { fillBindings } from '../gpu/inputs.ts';
import { buffersFor, type Encode, launcher, runOnce } from '../gpu/launch.ts';
import type { Numbers } from '../gpu/values.ts';
import { deviceLimits, type Limits } from '../limits.ts';
import type { BenchDevice, Effort } from '../session.ts';
import type { KernelCase } from './cases.ts';
import { familyOf } from './families.ts';
import { KernelRun } from './run.ts';

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

/** Stands for a kernel whose output this bench cannot check. */
export interface Unchecked {
  readonly name: string;
  readonly reason: string;
}

/** Dispatches in a pass where every dispatch moves the rows one position on. */
const MOST_DRAWS = 32;
const MOST_SETS = 32;
const CODES = 16384;
const CLASSES = 1000;

/** Guided where there are rows for it. */
const sequencesOf = (sequences: number): DrawingSequence[] =>
  Array.from({ length: sequences }, (_, i) => ({
    ...{ seed: 7 + i, cfgScale: 2, cfgInterval: -1, temperature: 1 },
    ...{ row: i, uncondRow: undefined, sequence: i },
    ...{ topK: 2000, topP: 1, greedy: false, given: 0 },
  }));

/** A kernel with random inputs. */
export interface Prepared {
  readonly encode: Encode;
  /** Writes again what dispatches may have changed. */
  reset(): void;
  /** What checks look at, after a dispatch. */
  readonly run: KernelRun;
  free(): void;
}

/** @param count Sets of buffers, for dispatches in turn. */
export async function prepareKernel(
  memory: Memory,
  { kernel, config }: Pick<KernelCase, 'kernel' | 'config'>,
  count = 1,
): Promise<Prepared> {
  const { device } = memory;
  const sets = Array.from({ length: count }, () => buffersFor(memory, kernel));
  const free = (): void => {
    for (const set of sets) memory.free(Object.values(set));
  };
  try {
    const given = integers(kernel, positionOf(config), config && ropeTable(config));
    const reset = (): void => {
      for (const set of sets) {
        for (const [binding, values] of Object.entries(given)) {
          const buffer = set[binding];
          if (buffer) device.queue.writeBuffer(buffer, 0, values);
        }
      }
    };
    for (const set of sets) fillBindings(memory, kernel, set, positive(kernel));
    reset();
    const encode = await launcher(memory, kernel, sets);
    const sequences = sequencesOf(kernel.bindings.sequenceTable?.shape[0] ?? 0);
    const run = new KernelRun(memory, kernel, sets[0] ?? {}, given, sequences);
    return { encode, reset, run, free };
  } catch (error) {
    free();
    throw error;
  }
}

/** Where the rows of a step stand: in the middle of the image. */
const positionOf = (config: GptConfig | undefined): number => (config?.blockSize ?? 0) >> 1;

/**
 * Compares what a kernel makes with its oracle. All kernels are compared before any is timed: a device
 * that waits for an oracle lowers its clock.
 * @returns Why it cannot be compared, if so.
 * @throws Refusal when an output disagrees.
 */
export async function checkKernel(memory: Memory, one: KernelCase): Promise<Unchecked | undefined> {
  const { name, kernel } = one;
  const family = familyOf(kernel);
  if (!family) {
    const bindings = Object.keys(kernel.bindings).join(', ');
    return { name, reason: `no oracle in bench/kernels for a kernel of ${bindings}` };
  }
  const { encode, run, free } = await prepareKernel(memory, one);
  try {
    runOnce(memory, encode);
    await family.check(run);
    return undefined;
  } finally {
    free();
  }
}

export async function timeKernel(
  { memory, clock }: Pick<BenchDevice, 'memory' | 'clock'>,
  one: KernelCase,
  limits: Limits,
  effort: Effort,
): Promise<KernelResult> {
  const { name, use, kernel, dispatches, config } = one;
  const size = Object.values<Binding>(kernel.bindings).reduce((n, b) => n + byteLength(b), 0);
  // What the tokenizer reads was just written by the kernel before; weights of a step come from memory.
  const count = config ? Math.min(MOST_SETS, Math.ceil(effort.coldBytes / size)) : 1;
  const { encode, reset, free } = await prepareKernel(memory, one, count);
  try {
    const draws = kernel.bindings.rowTable?.role === 'inout';
    const options = { ...effort, ...(draws && { most: MOST_DRAWS, reset }) };
    const { us, medianUs, runs } = await sample(clock, options, encode);
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
    free();
  }
}

/** Contents of the bindings that are not random floats. */
function integers(
  { bindings }: Kernel,
  position: number,
  rope: Float32Array<ArrayBuffer> | undefined,
): Record<string, Numbers & ArrayBufferView<ArrayBuffer>> {
  const made: Record<string, Numbers & ArrayBufferView<ArrayBuffer>> = {};
  const count = (name: string): number =>
    bindings[name]?.shape.reduce((n, size) => n * size, 1) ?? 0;
  // A step without a common factor with the number of codes visits each of them once.
  const codes = (name: string) =>
    Uint32Array.from({ length: count(name) }, (_, i) => (i * 6151) % CODES);
  const [rows] = bindings.rowTable?.shape ?? [];
  if (rows) {
    made.rowTable = packRows(
      Array.from({ length: rows }, (_, slot) => {
        return { slot, position, sequence: slot, condition: (slot * 37) % CLASSES };
      }),
    );
  }
  if (bindings.tokens) made.tokens = codes('tokens');
  if (bindings.codes) made.codes = codes('codes');
  if (bindings.rope && rope) made.rope = rope;
  const [sequences] = bindings.sequenceTable?.shape ?? [];
  if (sequences) made.sequenceTable = packSequences(sequencesOf(sequences));
  return made;
}

/** Inputs that are no numbers of either sign: probabilities, moments, weights of parts. */
function positive({ bindings }: Kernel): Record<string, Spread> {
  const { probs, moments, peaks } = bindings;
  const mean = 1 / (probs?.shape.at(-1) ?? 1);
  return {
    ...(probs?.role === 'in' && { probs: { centre: mean, spread: mean } }),
    ...(moments && { moments: { centre: 2, spread: 1 } }),
    ...(peaks?.role === 'in' && { peaks: { centre: 2, spread: 1 } }),
  };
}
