/** A graph with pipelines, memory and bind groups: nothing is created per run. */
import { bind } from '../../kernels/compile.ts';
import { costOf } from '../../kernels/cost.ts';
import type { Cost } from '../../kernels/kernel.ts';
import { DeviceError } from '../errors.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { plan } from '../graph/plan.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { Memory } from './memory.ts';
import { pipelineFor } from './pipelines.ts';
import { usableCheck } from './unvalidated.ts';

/** One prebuilt dispatch. */
export interface Step {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
  /** The least work of the dispatch. */
  readonly cost: Cost;
}

export interface Program {
  /** Every dispatch, in order. */
  readonly steps: readonly Step[];
  /** Records every dispatch, in order, into one compute pass. */
  encode(pass: GPUComputePassEncoder): void;
  /** Records one of the dispatches. */
  encodeStep(pass: GPUComputePassEncoder, index: number): void;
  /**
   * Encodes and submits the whole program `times` times, in one compute pass.
   * @param timestampWrites Where the pass writes its times.
   * @returns When the device has accepted it, which is before it has run. Awaiting it may be put off.
   * @throws DeviceError when the device refuses it, as after `destroy`.
   */
  run(times?: number, timestampWrites?: GPUComputePassTimestampWrites): Promise<void>;
  /** The buffer behind a tensor of the graph; a temp only when it was kept. */
  bufferOf(tensor: Tensor): GPUBuffer;
  /** Frees states and temps. Weights belong to whoever loaded them. */
  destroy(): void;
}

export interface BuildOptions {
  /** Buffers of the weights, by state-dict name. */
  readonly weights: ReadonlyMap<string, GPUBufferBinding>;
  /** Buffers by the names of states that outlive the program; they may be larger than what it binds. */
  readonly states?: ReadonlyMap<string, GPUBuffer> | undefined;
  /** Buffers of states that another program owns. */
  readonly shared?: ReadonlyMap<Tensor, GPUBuffer> | undefined;
  /** Temps whose value is read after a run. */
  readonly keep?: Iterable<Tensor> | undefined;
}

/**
 * Compiles, allocates and binds everything the graph needs.
 * @throws DeviceError when memory or a limit does not suffice, Error when a kernel does not compile.
 */
export async function build(memory: Memory, graph: Graph, options: BuildOptions): Promise<Program> {
  const { device } = memory;
  const pipelines = await Promise.all(graph.nodes.map(({ kernel }) => pipelineFor(device, kernel)));
  const owned: GPUBuffer[] = [];
  try {
    return await memory.checked('building the program', () =>
      construct(memory, graph, options, pipelines, owned),
    );
  } catch (error) {
    memory.free(owned);
    throw error;
  }
}

/** @param owned Takes the buffers that are made. */
function construct(
  memory: Memory,
  graph: Graph,
  options: BuildOptions,
  pipelines: readonly GPUComputePipeline[],
  owned: GPUBuffer[],
): Program {
  const { device } = memory;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const { slots, slotOf } = plan(graph.nodes, new Set(options.keep));
  const own = (kind: 'state' | 'temp', label: string, size: number): GPUBuffer => {
    const buffer = memory.create(kind, label, size, usage);
    owned.push(buffer);
    return buffer;
  };
  const temps = slots.map((size, i) => own('temp', `temp ${i}`, size));
  const states = new Map<Tensor, GPUBuffer>(options.shared);
  for (const t of graph.residents) {
    if (t.life !== 'state' || states.has(t)) continue;
    states.set(t, options.states?.get(t.name) ?? own('state', t.name, byteLength(t)));
  }
  const bindingOf = (t: Tensor): GPUBufferBinding => {
    const slot = slotOf.get(t);
    const buffer = slot === undefined ? states.get(t) : temps[slot];
    if (buffer) return { buffer, size: byteLength(t) };
    const weight = options.weights.get(t.name);
    if (!weight) throw new RangeError(`tensor "${t.name}" (${t.life}) has no buffer`);
    return weight;
  };
  const steps = graph.nodes.map((node, i) => stepOf(device, node, pipelines[i], bindingOf));
  const bound = graph.nodes.flatMap(({ tensors }) => Object.values(tensors));
  const isUsable = usableCheck(new Set(bound.map((t) => bindingOf(t).buffer)));
  const encode = (pass: GPUComputePassEncoder): void => {
    if (!isUsable()) return;
    for (const step of steps) record(pass, step);
  };
  return {
    steps,
    bufferOf: (t) => bindingOf(t).buffer,
    destroy: () => memory.free(owned),
    encode,
    encodeStep(pass, index) {
      const step = steps[index];
      if (!step) throw new RangeError(`step ${index} of ${steps.length}`);
      if (isUsable()) record(pass, step);
    },
    run: (times = 1, timestampWrites) =>
      memory.checked('running the program', () => {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
        for (let i = 0; i < times; i++) encode(pass);
        pass.end();
        device.queue.submit([encoder.finish()]);
      }),
  };
}

function record(pass: GPUComputePassEncoder, { pipeline, group, workgroups }: Step): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  // Arguments that are left out need not be converted: 0.92 of the time for all three calls.
  const [x, y, z] = workgroups;
  if (y === 1 && z === 1) pass.dispatchWorkgroups(x);
  else pass.dispatchWorkgroups(x, y, z);
}

function stepOf(
  device: GPUDevice,
  { kernel, tensors }: Node,
  pipeline: GPUComputePipeline | undefined,
  bindingOf: (t: Tensor) => GPUBufferBinding,
): Step {
  if (!pipeline) throw new Error(`${kernel.label}: has no pipeline`);
  const most = device.limits.maxComputeWorkgroupsPerDimension;
  if (kernel.workgroups.some((count) => count > most)) {
    const need = `${kernel.label} needs ${kernel.workgroups.join('x')} workgroups`;
    throw new DeviceError(
      'limit',
      `${need}, and this adapter takes at most ${most} in a dimension`,
    );
  }
  const buffers = Object.fromEntries(Object.entries(tensors).map(([n, t]) => [n, bindingOf(t)]));
  return {
    label: kernel.label,
    pipeline,
    group: bind(device, kernel, pipeline, buffers),
    workgroups: kernel.workgroups,
    cost: costOf(kernel),
  };
}
