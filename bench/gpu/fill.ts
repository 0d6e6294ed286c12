/** Random contents of buffers, made on the GPU: no size needs a download. */

import { bind } from '../../kernels/compile.ts';
import type { DType, Kernel } from '../../kernels/kernel.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import { pipelineFor } from '../../src/gpu/pipelines.ts';

/** Floats are uniform in centre +- spread. */
export interface Spread {
  readonly centre: number;
  readonly spread: number;
}

export type FilledDType = Exclude<DType, 'u32' | 'i32'>;

const SIZE = 64;
const MOST_GROUPS = 65535;

/** The 32-bit word `i` of a buffer, by the dtype of its values. Quants are of the whole range. */
const WORD: Readonly<Record<FilledDType, string>> = {
  f32: 'bitcast<u32>(value(i))',
  f16: 'pack2x16float(vec2f(value(2u * i), value(2u * i + 1u)))',
  bf16: '(bitcast<u32>(value(2u * i)) >> 16u) | (bitcast<u32>(value(2u * i + 1u)) & 0xffff0000u)',
  // -128 is not a quant of int8; odd bytes are never that.
  int8: 'hash(i) | 0x01010101u',
  int4: 'hash(i)',
};

/** A hash of 32 bits with full avalanche (Chris Wellons' lowbias32); float of 24 bits of it. */
const code = (dtype: FilledDType): string => `
@group(0) @binding(0) var<storage, read> params: array<f32>; // seed (bits), centre, spread
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<private> seed: u32;
var<private> centre: f32;
var<private> spread: f32;
fn hash(index: u32) -> u32 {
  var x = (index * 0x9e3779b9u) ^ seed;
  x ^= x >> 16u; x *= 0x7feb352du; x ^= x >> 15u; x *= 0x846ca68bu; x ^= x >> 16u;
  return x;
}
fn value(index: u32) -> f32 {
  return centre + spread * (f32(hash(index) >> 8u) / 8388608.0 - 1.0);
}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  seed = bitcast<u32>(params[0]);
  centre = params[1];
  spread = params[2];
  let count = arrayLength(&out);
  for (var i = id.x; i < count; i += groups.x * ${SIZE}u) { out[i] = ${WORD[dtype]}; }
}`;

/** Fills a binding whose values are floats or quants. The same seed gives the same contents. */
export async function fill(
  memory: Memory,
  target: GPUBufferBinding,
  dtype: FilledDType,
  seed: number,
  { centre, spread }: Spread,
): Promise<void> {
  const { device } = memory;
  const size = target.size ?? target.buffer.size - (target.offset ?? 0);
  const kernel: Kernel = {
    name: 'fill',
    params: { dtype },
    label: `fill ${dtype}`,
    code: code(dtype),
    bindings: {
      params: { role: 'in', dtype: 'f32', shape: [3] },
      out: { role: 'out', dtype: 'u32', shape: [size / 4] },
    },
    workgroups: [Math.min(MOST_GROUPS, Math.ceil(size / 4 / SIZE)), 1, 1],
  };
  const pipeline = await pipelineFor(device, kernel);
  const words = new Float32Array([0, centre, spread]);
  new Uint32Array(words.buffer)[0] = seed >>> 0;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const params = memory.create('staging', 'fill', 12, usage);
  device.queue.writeBuffer(params, 0, words);
  const group = bind(device, kernel, pipeline, { params: { buffer: params }, out: target });
  const encoder = device.createCommandEncoder({ label: kernel.label });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...kernel.workgroups);
  pass.end();
  device.queue.submit([encoder.finish()]);
  memory.free([params]);
}
