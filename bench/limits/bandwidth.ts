/** How fast this adapter moves memory: the floor under everything that must be read. */
import { grid, type Kernel } from '../../kernels/kernel.ts';
import { fill } from '../gpu/fill.ts';
import { launcher, runOnce, storage } from '../gpu/launch.ts';
import { readValues } from '../gpu/values.ts';
import { Refusal } from '../refusal.ts';
import type { BenchDevice } from '../session.ts';

/** Bytes read and written each second, by the best candidate of a kind. GB are 10^9 bytes. */
export interface Bandwidth {
  /** Bytes of the buffer that is copied or read. */
  readonly bytes: number;
  /** `copyBufferToBuffer`: reads and writes. */
  readonly copyGBs: number;
  /** A copy by a kernel: reads and writes. */
  readonly kernelCopyGBs: number;
  /** A sum by a kernel: reads alone. */
  readonly kernelReadGBs: number;
  /** The largest of the three: what floors are computed from. */
  readonly bestGBs: number;
}

interface Shape {
  readonly size: number;
  /** vec4f of one invocation. */
  readonly each: number;
}

const SHAPES: readonly Shape[] = [
  { size: 64, each: 4 },
  { size: 64, each: 32 },
  { size: 256, each: 4 },
  { size: 256, each: 16 },
];

/** Where invocation `lane` of a workgroup finds its vec4f number `n`: neighbours read neighbours. */
const address = ({ size, each }: Shape, gx: number): string =>
  `(group.y * ${gx}u + group.x) * ${size * each}u + n * ${size}u + lane`;

const head = (out: string): string => `
@group(0) @binding(0) var<storage, read> src: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<${out}>;`;
const main = (size: number): string => `
@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32)`;

function copyKernel(bytes: number, shape: Shape): Kernel {
  const { size, each } = shape;
  const workgroups = grid(bytes / 16 / (size * each));
  const count = bytes / 16;
  return {
    name: 'copy',
    params: { bytes, ...shape },
    label: `copy by ${size} x ${each}`,
    code: `${head('vec4f')}${main(size)} {
  for (var n = 0u; n < ${each}u; n++) {
    let at = ${address(shape, workgroups[0])};
    if (at < ${count}u) { out[at] = src[at]; }
  }
}`,
    bindings: {
      src: { role: 'in', dtype: 'f32', shape: [bytes / 4] },
      out: { role: 'out', dtype: 'f32', shape: [bytes / 4] },
    },
    workgroups,
  };
}

function readKernel(bytes: number, shape: Shape): Kernel {
  const { size, each } = shape;
  const units = bytes / 16 / (size * each);
  const workgroups = grid(units);
  return {
    name: 'sum',
    params: { bytes, ...shape },
    label: `sum by ${size} x ${each}`,
    code: `${head('f32')}${main(size)} {
  let unit = group.y * ${workgroups[0]}u + group.x;
  if (unit >= ${units}u) { return; }
  var sum = vec4f();
  for (var n = 0u; n < ${each}u; n++) { sum += src[${address(shape, workgroups[0])}]; }
  out[unit * ${size}u + lane] = dot(sum, vec4f(1.0));
}`,
    bindings: {
      src: { role: 'in', dtype: 'f32', shape: [bytes / 4] },
      out: { role: 'out', dtype: 'f32', shape: [units * size] },
    },
    workgroups,
  };
}

/** @param bytes Of the buffer; a multiple of 2^20. */
export async function measureBandwidth(
  { memory, device, clock }: BenchDevice,
  bytes: number,
  runs: number,
  leastUs: number,
): Promise<Bandwidth> {
  const src = storage(memory, 'source', bytes);
  const out = storage(memory, 'destination', bytes);
  try {
    await fill(memory, { buffer: src }, 'f32', 1, { centre: 0, spread: 1 });
    const copies = Math.max(1, Math.round((leastUs * 1e4) / bytes));
    const copyUs = await bestCopy(device, src, out, copies, runs);
    const best = async (make: (bytes: number, shape: Shape) => Kernel, moved: number) => {
      let rate = 0;
      for (const shape of SHAPES) {
        const kernel = make(bytes, shape);
        const encode = await launcher(memory, kernel, [{ src, out }]);
        runOnce(memory, encode);
        await checkMoved({ memory, src, out, kernel, shape, sum: make === readKernel });
        const { us } = await clock.sample({ runs, leastUs }, encode);
        rate = Math.max(rate, (moved * bytes) / us / 1000);
      }
      return rate;
    };
    const copyGBs = (2 * bytes) / copyUs / 1000;
    const kernelCopyGBs = await best(copyKernel, 2);
    const kernelReadGBs = await best(readKernel, 1);
    const bestGBs = Math.max(copyGBs, kernelCopyGBs, kernelReadGBs);
    return { bytes, copyGBs, kernelCopyGBs, kernelReadGBs, bestGBs };
  } finally {
    memory.free([src, out]);
  }
}

/** Copies have no pass that timestamps could stand around: the host's clock, over many of them. */
async function bestCopy(
  device: GPUDevice,
  src: GPUBuffer,
  out: GPUBuffer,
  copies: number,
  runs: number,
): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run <= runs; run++) {
    const encoder = device.createCommandEncoder({ label: 'copies' });
    for (let i = 0; i < copies; i++) encoder.copyBufferToBuffer(src, 0, out, 0, src.size);
    const commands = encoder.finish();
    await device.queue.onSubmittedWorkDone();
    const started = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    const us = (1000 * (performance.now() - started)) / copies;
    if (run > 0) best = Math.min(best, us);
  }
  return best;
}

interface Moved {
  readonly memory: BenchDevice['memory'];
  readonly src: GPUBuffer;
  readonly out: GPUBuffer;
  readonly kernel: Kernel;
  readonly shape: Shape;
  readonly sum: boolean;
}

/** Compares the last workgroup's part with the source. */
async function checkMoved({ memory, src, out, kernel, shape, sum }: Moved): Promise<void> {
  const { size, each } = shape;
  const part = size * each * 4;
  const stored = { dtype: 'f32', shape: [src.size / 4] } as const;
  const given = await readValues(memory, src, stored, src.size / 4 - part, part);
  const last = src.size / 16 / (size * each) - 1;
  const made = sum
    ? await readValues(memory, out, stored, last * size, size)
    : await readValues(memory, out, stored, src.size / 4 - part, part);
  for (let i = 0; i < made.length; i++) {
    let expected = given[i] ?? Number.NaN;
    if (sum) {
      expected = 0;
      for (let n = 0; n < each; n++) {
        for (let c = 0; c < 4; c++) expected += given[(n * size + i) * 4 + c] ?? Number.NaN;
      }
    }
    if (Math.abs((made[i] ?? Number.NaN) - expected) <= (sum ? 1e-4 : 0)) continue;
    throw new Refusal(`${kernel.label}: value ${i} is ${made[i]}, expected ${expected}`);
  }
}
