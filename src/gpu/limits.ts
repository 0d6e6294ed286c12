/** What a device can do at best, measured in a fraction of a second: the floor under every kernel. */
import { type Cost, ceilDiv, declare, type Kernel } from '../../kernels/kernel.ts';
import { DeviceError } from '../errors.ts';
import { Graph } from '../graph/graph.ts';
import { Memory } from './memory.ts';
import { build } from './program.ts';
import { type Stopwatch, stopwatch } from './stopwatch.ts';
import { adapterFacts } from './variants.ts';

export interface DeviceLimits {
  /** Bytes that a copy between buffers too large for the caches reads and writes in a second. */
  readonly bytesPerSecond: number;
  /** f32 operations in a second of multiply-adds that stay in registers; one counts as two. */
  readonly operationsPerSecond: number;
}

/** The time under which no implementation of this work gets: microseconds. */
export const floorUs = ({ bytes, operations }: Cost, limits: DeviceLimits): number =>
  Math.max(bytes / limits.bytesPerSecond, operations / limits.operationsPerSecond) * 1e6;

/** Bytes to copy: more than the caches hold (50 MB on the largest GPUs). */
const COPY_BYTES = { gpu: 256 * 2 ** 20, software: 32 * 2 ** 20 } as const;
const LEAST_COPY_BYTES = 2 ** 20;

/** The fastest run counts: all else on the machine only makes runs slower. */
const RUNS = 4;

/** A run takes at least this long, so that starting it does not count. */
const LEAST_US = 10_000;
const MOST_TIMES = 256;

/**
 * Measures a device with memory of its own, freed at the end.
 * @throws DeviceError when the device has no room for it.
 */
export async function measureLimits(device: GPUDevice): Promise<DeviceLimits> {
  const memory = new Memory(device);
  const watch = stopwatch(memory);
  try {
    const kind = adapterFacts(device).software ? 'software' : 'gpu';
    const bytes = Math.min(COPY_BYTES[kind], device.limits.maxBufferSize);
    return {
      bytesPerSecond: await copyRate(memory, bytes),
      operationsPerSecond: await multiplyRate(memory, watch, THREADS[kind]),
    };
  } finally {
    watch.destroy();
    memory.freeAll();
  }
}

/** How often work is done in a second. */
async function rate(time: (times: number) => Promise<number>): Promise<number> {
  await time(1);
  const once = Math.max(1, await time(1));
  const times = Math.max(1, Math.min(MOST_TIMES, Math.ceil(LEAST_US / once)));
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) best = Math.min(best, await time(times));
  return (times / best) * 1e6;
}

/** By the host's clock: timestamps belong to passes, and a copy is in none. */
async function copyRate(memory: Memory, size: number): Promise<number> {
  const { device } = memory;
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffers: GPUBuffer[] = [];
  try {
    await memory.checked('measuring the bandwidth', () => {
      for (const name of ['from', 'to']) buffers.push(memory.create('staging', name, size, usage));
    });
  } catch (error) {
    memory.free(buffers);
    const full = error instanceof DeviceError && error.problem === 'out-of-memory';
    if (full && size > LEAST_COPY_BYTES) return copyRate(memory, Math.floor(size / 8) * 4);
    throw error;
  }
  const [from, to] = buffers as [GPUBuffer, GPUBuffer];
  const copies = await rate(async (times) => {
    const commands = await memory.checked('bandwidth', () => {
      const encoder = device.createCommandEncoder({ label: 'bandwidth' });
      for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
      return encoder.finish();
    });
    await device.queue.onSubmittedWorkDone();
    const started = performance.now();
    const accepted = memory.checked('bandwidth', () => device.queue.submit([commands]));
    await Promise.all([accepted, device.queue.onSubmittedWorkDone()]);
    return (performance.now() - started) * 1000;
  });
  memory.free(buffers);
  return copies * size * 2;
}

async function multiplyRate(memory: Memory, watch: Stopwatch, threads: number): Promise<number> {
  const g = new Graph();
  g.call(multiplyKernel(threads), { x: g.state('x', 'f32', [4]) });
  const program = await build(memory, g, { weights: new Map() });
  const runs = await rate((times) =>
    watch.time((pass) => {
      for (let i = 0; i < times; i++) program.encode(pass);
    }),
  );
  program.destroy();
  return runs * threads * ROUNDS * CHAINS * 4 * 2;
}

/** Invocations: enough to fill a GPU several times over. */
const THREADS = { gpu: 2 ** 19, software: 2 ** 11 } as const;
const GROUP = 64;

/** Independent chains of vec4f, enough to hide the latency of a multiply-add. */
const CHAINS = 8;
const ROUNDS = 256;

/** Every invocation repeats acc = acc * x + x, and touches nothing but registers in between. */
function multiplyKernel(threads: number) {
  const bindings = {
    x: { role: 'in', dtype: 'f32', shape: [4], element: 'vec4f' },
    out: { role: 'out', dtype: 'f32', shape: [threads * 4], element: 'vec4f' },
  } as const;
  const sums = Array.from({ length: CHAINS }, (_, i) => `a${i}`);
  const code = `${declare(bindings)}
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = x[0];
${sums.map((a, i) => `  var ${a} = vec4f(f32(id.x) + f32(${i}));`).join('\n')}
  for (var i = 0u; i < ${ROUNDS}u; i++) {
${sums.map((a) => `    ${a} = ${a} * factor + factor;`).join('\n')}
  }
  out[id.x] = ${sums.join(' + ')};
}`;
  const workgroups = [ceilDiv(threads, GROUP), 1, 1] as const;
  const identity = { name: 'multiply', params: { threads } };
  const label = `multiply f32[${threads}]`;
  return { ...identity, label, code, bindings, workgroups } satisfies Kernel;
}
