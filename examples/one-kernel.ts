/** Runs one kernel on a GPUDevice of your own: nothing else of this package is involved. */
import { bind, compile, rmsNorm } from '../kernels/index.ts';

type Floats = Float32Array<ArrayBuffer>;

/** RMSNorm of rows as long as `gain`; returns the buffer with the result. */
export async function normalise(device: GPUDevice, x: Floats, gain: Floats): Promise<GPUBuffer> {
  const dim = gain.length;
  const kernel = rmsNorm({ rows: x.length / dim, dim, eps: 1e-5 });
  const pipeline = await compile(device, kernel);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const bufferOf = (data: Floats): GPUBuffer => {
    const buffer = device.createBuffer({ size: data.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const out = device.createBuffer({ size: x.byteLength, usage });
  const group = bind(device, kernel, pipeline, {
    x: { buffer: bufferOf(x) },
    gain: { buffer: bufferOf(gain) },
    out: { buffer: out },
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...kernel.workgroups);
  pass.end();
  device.queue.submit([encoder.finish()]);
  return out;
}
