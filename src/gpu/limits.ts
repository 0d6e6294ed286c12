/** What a device can do at best, measured in a fraction of a second: the floor under every kernel. */
import { type Cost, ceilDiv, declare, grid, type Kernel } from '../../kernels/kernel.ts';
import { DeviceError } from '../errors.ts';
import { Graph } from '../graph/graph.ts';
import { Memory } from './memory.ts';
import { build } from './program.ts';
import { Filler } from './random.ts';
import { readBuffer } from './readback.ts';
import { sample, warmUsOf } from './sample.ts';
import { type Stopwatch, stopwatch } from './stopwatch.ts';
import { adapterFacts } from './variants.ts';

export interface DeviceLimits {
  /**
   * Bytes that a kernel reads, or reads and writes, in a second, in buffers too large for the caches. A
   * copy between buffers says less: it took a fifth of this on an H200, six times as much in software.
   */
  readonly bytesPerSecond: number;
  /** f32 operations in a second of multiply-adds that stay in registers; one counts as two. */
  readonly operationsPerSecond: number;
}

/** The time under which no implementation of this work gets: microseconds. */
export const floorUs = ({ bytes, operations }: Cost, limits: DeviceLimits): number =>
  Math.max(bytes / limits.bytesPerSecond, operations / limits.operationsPerSecond) * 1e6;

/** Bytes to read: more than the caches hold (50 MB on the largest GPUs). */
const BYTES = { gpu: 2 ** 28, software: 2 ** 24 } as const;
const LEAST_BYTES = 2 ** 20;
/** Invocations that multiply: enough to fill a GPU several times over. */
const THREADS = { gpu: 2 ** 19, software: 2 ** 11 } as const;
/** Invocations of a workgroup, and vec4f that each of them reads, in the ways that are tried. */
const WAYS = {
  gpu: [
    [64, 32],
    [256, 16],
  ],
  software: [[256, 16]],
} as const;
/** The fastest run counts: all else on the machine only makes runs slower. */
const RUNS = 8;
const LEAST_US = 10_000;

/** A kernel whose rate is a limit. */
interface Probe {
  readonly kernel: Kernel;
  /** Bytes or operations of a dispatch. */
  readonly work: number;
  /** What `src` holds: random floats, or one number. */
  readonly given: 'random' | number;
  /** The last number of `out`. */
  last(src: Float32Array): number;
}

/**
 * Measures a device with memory of its own, freed at the end.
 * @throws DeviceError when the device has no room for it; Error when a kernel computes what it should not.
 */
export async function measureLimits(device: GPUDevice): Promise<DeviceLimits> {
  const memory = new Memory(device);
  const kind = adapterFacts(device).software ? 'software' : 'gpu';
  const watch = await stopwatch(memory);
  const bench = { memory, kind, watch, filler: new Filler(memory) } as const;
  try {
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    const most = Math.min(BYTES[kind], maxBufferSize, maxStorageBufferBindingSize);
    return {
      bytesPerSecond: await memoryRate(bench, 2 ** Math.floor(Math.log2(most))),
      operationsPerSecond: await rateOf(bench, multiplyProbe(THREADS[kind])),
    };
  } finally {
    watch.destroy();
    memory.freeAll();
  }
}

interface Bench {
  readonly memory: Memory;
  readonly kind: 'gpu' | 'software';
  readonly watch: Stopwatch;
  readonly filler: Filler;
}

async function memoryRate(bench: Bench, bytes: number): Promise<number> {
  let best = 0;
  try {
    for (const [size, each] of WAYS[bench.kind]) {
      for (const probe of [sumProbe, copyProbe]) {
        best = Math.max(best, await rateOf(bench, probe(bytes, size, each)));
      }
    }
    return best;
  } catch (error) {
    const full = error instanceof DeviceError && error.problem === 'out-of-memory';
    if (full && bytes > LEAST_BYTES) return memoryRate(bench, bytes / 2);
    throw error;
  }
}

/** Runs a kernel once, looks at what it made, and only then times it. */
async function rateOf({ memory, kind, watch, filler }: Bench, probe: Probe): Promise<number> {
  const { kernel, work, given } = probe;
  const g = new Graph();
  const src = g.state('src', 'f32', kernel.bindings.src?.shape ?? []);
  const { out } = g.call(kernel, { src }) as { out: typeof src };
  const program = await build(memory, g, { weights: new Map(), keep: [out] });
  try {
    const from = program.bufferOf(src);
    await memory.checked('filling what is read', () => {
      if (given === 'random') filler.fill({ buffer: from }, 'f32');
      else memory.device.queue.writeBuffer(from, 0, new Float32Array(from.size / 4).fill(given));
    });
    await program.run();
    const to = program.bufferOf(out);
    const [made] = new Float32Array(await readBuffer(memory, to, 4, to.size - 4));
    const tail = Math.min(from.size, LEAST_BYTES);
    const read = await readBuffer(memory, from, tail, from.size - tail);
    const expected = probe.last(new Float32Array(read));
    if (!(Math.abs((made ?? Number.NaN) - expected) < 1e-3)) {
      throw new Error(`${kernel.label}: made ${made}, expected ${expected}: no limit is known`);
    }
    const warmUs = warmUsOf(kind === 'software');
    const encode = (pass: GPUComputePassEncoder): void => program.encode(pass);
    const { us } = await sample(watch, { runs: RUNS, leastUs: LEAST_US, warmUs }, encode);
    return (work / us) * 1e6;
  } finally {
    program.destroy();
  }
}

/** Workgroups of `size` invocations that go through `bytes`; each reads `each` vec4f, neighbours neighbours. */
function memoryKernel(name: string, bytes: number, size: number, each: number, sums: boolean) {
  const units = bytes / 16 / (size * each);
  const workgroups = grid(units);
  const outs = sums ? units * size : bytes / 4;
  const bindings = {
    src: { role: 'in', dtype: 'f32', shape: [bytes / 4], element: 'vec4f' },
    out: { role: 'out', dtype: 'f32', shape: [outs], element: sums ? 'f32' : 'vec4f' },
  } as const;
  const code = `${declare(bindings)}
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = group.y * ${workgroups[0]}u + group.x;
  if (unit >= ${units}u) { return; }
  var sum = vec4f();
  for (var n = 0u; n < ${each}u; n++) {
    let at = (unit * ${each}u + n) * ${size}u + lane;
    ${sums ? 'sum += src[at];' : 'out[at] = src[at];'}
  }
  ${sums ? `out[unit * ${size}u + lane] = dot(sum, vec4f(1.0));` : ''}
}`;
  const label = `${name} f32[${bytes / 4}] by ${size} x ${each}`;
  return { name, params: { bytes, size, each }, label, code, bindings, workgroups };
}

const sumProbe = (bytes: number, size: number, each: number): Probe => ({
  kernel: memoryKernel('sum', bytes, size, each, true),
  work: bytes,
  given: 'random',
  last(src) {
    let sum = 0;
    for (let n = 0; n < each; n++) {
      for (let i = 1; i <= 4; i++) sum += src[src.length - 4 * size * n - i] ?? Number.NaN;
    }
    return sum;
  },
});

const copyProbe = (bytes: number, size: number, each: number): Probe => ({
  kernel: memoryKernel('copy', bytes, size, each, false),
  work: 2 * bytes,
  given: 'random',
  last: (src) => src.at(-1) ?? Number.NaN,
});

const GROUP = 64;
/** Independent chains of vec4f, enough to hide the latency of a multiply-add. */
const CHAINS = 8;
const ROUNDS = 256;

/** Every invocation repeats acc = acc * x + x, which tends to 1, in registers. */
function multiplyProbe(threads: number): Probe {
  const bindings = {
    src: { role: 'in', dtype: 'f32', shape: [4], element: 'vec4f' },
    out: { role: 'out', dtype: 'f32', shape: [threads * 4], element: 'vec4f' },
  } as const;
  const sums = Array.from({ length: CHAINS }, (_, i) => `a${i}`);
  const code = `${declare(bindings)}
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = src[0];
${sums.map((a, i) => `  var ${a} = vec4f(f32(id.x) + f32(${i}));`).join('\n')}
  for (var i = 0u; i < ${ROUNDS}u; i++) {
${sums.map((a) => `    ${a} = ${a} * factor + factor;`).join('\n')}
  }
  out[id.x] = ${sums.join(' + ')};
}`;
  const workgroups = [ceilDiv(threads, GROUP), 1, 1] as const;
  const identity = { name: 'multiply', params: { threads }, label: `multiply f32[${threads}]` };
  return {
    kernel: { ...identity, code, bindings, workgroups },
    work: threads * ROUNDS * CHAINS * 4 * 2,
    given: 0.5,
    last: () => CHAINS,
  };
}
