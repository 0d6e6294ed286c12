/** Runs one kernel in Node, reads what it made, and frees all of it. */
import { bind, compile, softmaxRows } from '../kernels/index.ts';
import { openDevice } from '../src/node/index.ts';

const { device, close } = await openDevice(); // the GPU, else the software adapter
const values = Float32Array.of(1, 2, 3, 4, 4, 4, 4, 4);
const kernel = softmaxRows({ rows: 2, length: 4 });
const pipeline = await compile(device, kernel);

const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
const bufferFor = (usage: number): GPUBuffer =>
  device.createBuffer({ size: values.byteLength, usage });
const x = bufferFor(STORAGE | COPY_DST);
const out = bufferFor(STORAGE | COPY_SRC);
const read = bufferFor(MAP_READ | COPY_DST);
device.queue.writeBuffer(x, 0, values);

const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
pass.setBindGroup(0, bind(device, kernel, pipeline, { x: { buffer: x }, out: { buffer: out } }));
pass.dispatchWorkgroups(...kernel.workgroups);
pass.end();
encoder.copyBufferToBuffer(out, read);
device.queue.submit([encoder.finish()]);

await read.mapAsync(GPUMapMode.READ);
const shares = Array.from(new Float32Array(read.getMappedRange()), (share) => share.toFixed(3));
console.log(shares.join(' '));
for (const buffer of [x, out, read]) buffer.destroy();
close();
