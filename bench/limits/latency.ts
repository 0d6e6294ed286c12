/** What it costs to ask the device for anything. */
import type { Kernel } from '../../kernels/kernel.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { launcher, storage } from '../gpu/launch.ts';
import type { BenchDevice } from '../session.ts';

/** Microseconds, each the best of many tries. */
export interface Latency {
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

const empty: Kernel = {
  name: 'empty',
  params: {},
  label: 'empty',
  code: `
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) { if (group.x > 0u) { out[0] = 1u; } }`,
  bindings: { out: { role: 'inout', dtype: 'u32', shape: [1] } },
  workgroups: [1, 1, 1],
};

export async function measureLatency(d: BenchDevice, runs: number): Promise<Latency> {
  const { memory, clock, device } = d;
  const out = storage(memory, 'word', 4);
  try {
    const encode = await launcher(memory, empty, [{ out }]);
    let encodeUs = Number.POSITIVE_INFINITY;
    let dispatchUs = Number.POSITIVE_INFINITY;
    for (let run = 0; run < runs; run++) {
      const us = await clock.pass((pass) => {
        const started = performance.now();
        for (let i = 0; i < DISPATCHES; i++) encode(pass, i);
        const mine = (performance.now() - started) * 1000;
        encodeUs = Math.min(encodeUs, mine / DISPATCHES);
      });
      dispatchUs = Math.min(dispatchUs, us / DISPATCHES);
    }
    let submitUs = Number.POSITIVE_INFINITY;
    const submit = (): void => {
      const encoder = device.createCommandEncoder();
      encoder.beginComputePass().end();
      device.queue.submit([encoder.finish()]);
    };
    const roundTripUs = await best(async () => {
      const started = performance.now();
      submit();
      submitUs = Math.min(submitUs, (performance.now() - started) * 1000);
      await device.queue.onSubmittedWorkDone();
    });
    const readbackUs = await best(async () => {
      await readBuffer(memory, out);
    });
    return { dispatchUs, encodeUs, submitUs, roundTripUs, readbackUs };
  } finally {
    memory.free([out]);
  }
}

async function best(work: () => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES; i++) {
    const started = performance.now();
    await work();
    least = Math.min(least, (performance.now() - started) * 1000);
  }
  return least;
}
