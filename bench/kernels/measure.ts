/** One kernel: its output checked, then its time and what of the machine's limits it reaches. */
import { byteLength } from '../../kernels/cost.ts';
import type { Binding, Cost, Kernel } from '../../kernels/kernel.ts';
import { packRows } from '../../kernels/lib/row-table.ts';
import { type DrawingSequence, packSequences } from '../../kernels/sampler/sequence-table.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import type { GptConfig } from '../../src/models/gpt-config.ts';
import { ropeTable } from '../../src/models/rope-table.ts';
import type { Spread } from '../gpu/fill.ts';
import { fillBindings } from '../gpu/inputs.ts';
import { buffersFor, type Encode, launcher } from '../gpu/launch.ts';
import type { Numbers } from '../gpu/values.ts';
import { type Effort, type Limits, streamFor } from '../limits/measure.ts';
import type { BenchDevice } from '../session.ts';
import type { KernelCase } from './cases.ts';
import { familyOf, workOf } from './families.ts';
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
  /** Of products: the rate of the best micro-kernel for such a weight, and what of it is reached. */
  readonly streamGbs?: number;
  readonly ofStream?: number;
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

/** Time that work takes at least on a machine with these limits, microseconds. */
export function floorOf({ bytes, operations }: Cost, limits: Limits): number {
  const { bandwidth, bestGflops } = limits;
  return Math.max(bytes / bandwidth.bestGBs, operations / bestGflops) / 1000;
}

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
    for (const set of sets) await fillBindings(memory, kernel, set, positive(kernel));
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

/** @throws Refusal when an output disagrees with its oracle. */
export async function measureKernel(
  { memory, clock }: Pick<BenchDevice, 'memory' | 'clock'>,
  { name, use, kernel, dispatches, config }: KernelCase,
  limits: Limits,
  effort: Effort,
): Promise<KernelResult | Unchecked> {
  const family = familyOf(kernel);
  if (!family) {
    const bindings = Object.keys(kernel.bindings).join(', ');
    return { name, reason: `no oracle in bench/kernels for a kernel of ${bindings}` };
  }
  const size = Object.values<Binding>(kernel.bindings).reduce((n, b) => n + byteLength(b), 0);
  // What the tokenizer reads was just written by the kernel before; weights of a step come from memory.
  const count = config ? Math.min(MOST_SETS, Math.ceil(effort.coldBytes / size)) : 1;
  const { encode, reset, run, free } = await prepareKernel(
    memory,
    { kernel, ...(config && { config }) },
    count,
  );
  try {
    const firstUs = await clock.pass((pass) => encode(pass, 0));
    await family.check(run);
    const draws = kernel.bindings.rowTable?.role === 'inout';
    const { us, medianUs, runs } = await clock.sample(
      { ...effort, firstUs, ...(draws && { most: MOST_DRAWS, reset }) },
      encode,
    );
    const work = workOf(kernel, family, positionOf(config));
    const floorUs = floorOf(work, limits);
    const bytesUs = floorOf({ ...work, operations: 0 }, limits);
    const bound = bytesUs < floorUs ? 'products' : 'memory';
    const [gbs, gflops] = [work.bytes / us / 1000, work.operations / us / 1000];
    return {
      ...{ name, use, label: kernel.label, dispatches, us, medianUs, runs, ...work },
      ...{ gbs, gflops, floorUs, bound, share: floorUs / us },
      ...streamShare(kernel, limits, us),
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

function streamShare(
  { bindings }: Kernel,
  limits: Limits,
  us: number,
): Pick<KernelResult, 'streamGbs' | 'ofStream'> {
  const weights = [bindings.weight, bindings.w1, bindings.w3].filter((w) => w !== undefined);
  const [rows] = bindings.x?.shape ?? [];
  const [first] = weights;
  if (first?.shape.length !== 2 || rows === undefined) return {};
  const [outDim = 1, inDim = 1] = first.shape;
  const dtype = first.dtype;
  if (dtype === 'u32' || dtype === 'i32') return {};
  const stream = streamFor(limits, { rows, outDim, inDim, dtype });
  if (!stream) return {};
  const scales = ['weightScales', 'w1Scales', 'w3Scales'].map((name) => bindings[name]);
  const bytes = [...weights, ...scales].reduce((n, w) => n + (w ? byteLength(w) : 0), 0);
  return { streamGbs: stream.gbs, ofStream: bytes / us / 1000 / stream.gbs };
}
