/** `limits`: what this machine can do at most; floors and shares of all suites come from it. */
import type { Kernel } from '../kernels/kernel.ts';
import { type DeviceLimits, measureLimits } from '../src/gpu/limits.ts';
import { build } from '../src/gpu/program.ts';
import { readBuffer } from '../src/gpu/readback.ts';
import { Graph } from '../src/graph/graph.ts';
import type { BenchDevice } from './session.ts';
import { formatNumber, type Table } from './table.ts';

export interface Limits {
  /** How time was taken. */
  readonly clock: 'timestamps' | 'host clock';
  readonly bandwidth: { readonly bestGBs: number };
  /** f32 multiply-adds in registers; one counts as two operations. */
  readonly bestGflops: number;
  readonly latency: Latency;
}

/** What it costs to ask the device for anything: microseconds, each the best of many tries. */
interface Latency {
  /** One of many dispatches of an empty kernel in a pass, on the device. */
  readonly dispatchUs: number;
  /** JavaScript for one of those dispatches: pipeline, bind group, dispatch. */
  readonly encodeUs: number;
  /** JavaScript for making and submitting an empty pass. */
  readonly submitUs: number;
  /** From that submit until the device says that it is done. */
  readonly roundTripUs: number;
  /** Copying 4 bytes to a new buffer that the host can read, and reading them. */
  readonly readbackUs: number;
}

const DISPATCHES = 1000;
const TRIES = 50;

export async function measureMachine(d: BenchDevice): Promise<Limits> {
  const latency = await measureLatency(d);
  const { bytesPerSecond, operationsPerSecond } = await measureLimits(d.device);
  return {
    clock: d.clock.method,
    bandwidth: { bestGBs: bytesPerSecond / 1e9 },
    bestGflops: operationsPerSecond / 1e9,
    latency,
  };
}

/** In the words of the library. */
export const deviceLimits = ({ bandwidth, bestGflops }: Limits): DeviceLimits => ({
  bytesPerSecond: bandwidth.bestGBs * 1e9,
  operationsPerSecond: bestGflops * 1e9,
});

const empty: Kernel = {
  ...{ name: 'empty', params: {}, label: 'empty' },
  code: `
@group(0) @binding(0) var<storage, read_write> word: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) { if (group.x > 0u) { word[0] = 1u; } }`,
  bindings: { word: { role: 'inout', dtype: 'u32', shape: [1] } },
  workgroups: [1, 1, 1],
};

async function measureLatency({ memory, clock, device }: BenchDevice): Promise<Latency> {
  const g = new Graph();
  const word = g.state('word', 'u32', [1]);
  g.call(empty, { word });
  const program = await build(memory, g, { weights: new Map() });
  const passes = { encodeUs: Number.POSITIVE_INFINITY, dispatchUs: Number.POSITIVE_INFINITY };
  for (let run = 0; run < 5; run++) {
    const us = await clock.time((pass) => {
      const started = performance.now();
      for (let i = 0; i < DISPATCHES; i++) program.encode(pass);
      const mine = (performance.now() - started) * 1000;
      passes.encodeUs = Math.min(passes.encodeUs, mine / DISPATCHES);
    });
    passes.dispatchUs = Math.min(passes.dispatchUs, us / DISPATCHES);
  }
  let submitUs = Number.POSITIVE_INFINITY;
  const roundTripUs = await best(async () => {
    const started = performance.now();
    const encoder = device.createCommandEncoder();
    encoder.beginComputePass().end();
    device.queue.submit([encoder.finish()]);
    submitUs = Math.min(submitUs, (performance.now() - started) * 1000);
    await device.queue.onSubmittedWorkDone();
  });
  const readbackUs = await best(() => readBuffer(memory, program.bufferOf(word)));
  program.destroy();
  return { ...passes, submitUs, roundTripUs, readbackUs };
}

async function best(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES; i++) {
    const started = performance.now();
    await work();
    least = Math.min(least, (performance.now() - started) * 1000);
  }
  return least;
}

export const limitsTables = ({ clock, bandwidth, bestGflops, latency }: Limits): Table[] => [
  [
    [`limits, by ${clock}`, ''],
    ['  memory, as kernels reach it, GB/s', formatNumber(bandwidth.bestGBs)],
    ['  f32 multiply-adds in registers, GFLOP/s', formatNumber(bestGflops)],
    ['  one dispatch of an empty kernel, device, us', formatNumber(latency.dispatchUs)],
    ['  encode one dispatch, JavaScript, us', formatNumber(latency.encodeUs)],
    ['  submit an empty pass, JavaScript, us', formatNumber(latency.submitUs)],
    ['  submit and wait, us', formatNumber(latency.roundTripUs)],
    ['  read back 4 bytes, us', formatNumber(latency.readbackUs)],
  ],
];
