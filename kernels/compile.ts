/** All an outside app needs to run one kernel on its own GPUDevice. */
import { byteLength } from './cost.ts';
import { assert, type Binding, type Bindings, type Kernel, type Role } from './kernel.ts';
import { assertNames, shown } from './lib/params.ts';
import { wgslReport } from './lib/wgsl-error.ts';

/** What was compiled into a pipeline, and for which device. */
interface Origin {
  readonly device: GPUDevice;
  readonly code: string;
}

const origins = new WeakMap<GPUComputePipeline, Origin>();

/**
 * Compiles one kernel for a device.
 * @throws RangeError when the device lacks a feature; Error with what is wrong and the whole text, its
 * lines marked, when the WGSL does not compile.
 */
export async function compile(device: GPUDevice, kernel: Kernel): Promise<GPUComputePipeline> {
  const { label, code, features = [] } = kernel;
  const missing = features.find((feature) => !device.features.has(feature));
  assert(!missing, `${label}: needs the device feature "${missing}", which this device lacks`);
  // The scope keeps a text that does not compile from being reported twice: it is thrown below.
  const { made: module } = await inScope(device, () => device.createShaderModule({ label, code }));
  // First: on a device that does not validate, a pipeline of a text that is wrong ends the process.
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter((m) => m.type === 'error');
  if (errors.length > 0) throw new Error(wgslReport(label, code, errors));
  const { made, refusal } = await inScope(device, () => {
    const compute = { module, entryPoint: 'main' };
    const layout = layoutOf(device, kernel);
    const pipeline = device.createComputePipelineAsync({ label, layout, compute });
    pipeline.catch(() => {}); // that the layout is not valid is the better reason
    return pipeline;
  });
  if (refusal) throw new Error(`${label}: ${refusal.message}`);
  const pipeline = await made;
  origins.set(pipeline, { device, code });
  return pipeline;
}

/** Makes something at once in an error scope of its own. */
async function inScope<T>(
  device: GPUDevice,
  make: () => T,
): Promise<{ readonly made: T; readonly refusal: GPUError | null }> {
  let made: T;
  let refusal: Promise<GPUError | null> | undefined;
  device.pushErrorScope('validation');
  try {
    made = make();
  } finally {
    refusal = device.popErrorScope();
    refusal.catch(() => {}); // of a device that is lost
  }
  return { made, refusal: await refusal };
}

/** Without least sizes: kernels with `sizes` share a pipeline, so `bind` checks them. */
function layoutOf(device: GPUDevice, kernel: Kernel): GPUPipelineLayout {
  const { label } = kernel;
  const types: GPUBufferBindingType[] = Object.values(kernel.bindings).map(({ role }) =>
    role === 'in' ? 'read-only-storage' : 'storage',
  );
  if (kernel.sizes) types.push('uniform');
  const layout = device.createBindGroupLayout({
    label,
    entries: types.map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });
  return device.createPipelineLayout({ label, bindGroupLayouts: [layout] });
}

/**
 * Binds buffers by name. The type lists the names that every kernel of this kind needs; those that come
 * with a parameter, as `affine` of `norm` or the scales of integers, and names that are too many, are
 * told from each other at run time. Its sizes, some bytes, get a buffer that lives as long as the bind group. A buffer that was destroyed, or is of another device,
 * cannot be told from here: WebGPU reports it to the error scope around `bind` or the submit.
 * @throws RangeError that names kernel and binding when a buffer is missing, too small, badly placed,
 * not for storage, or written while it is bound elsewhere; when the pipeline is not this kernel's.
 */
export function bind<B extends Bindings>(
  device: GPUDevice,
  kernel: Kernel<B>,
  pipeline: GPUComputePipeline,
  buffers: Readonly<Record<keyof B, GPUBufferBinding>> & Readonly<Record<string, GPUBufferBinding>>,
): GPUBindGroup {
  assertPipeline(device, kernel, pipeline);
  const resources = resourcesOf(device, kernel, buffers);
  if (kernel.sizes) resources.push({ buffer: uniform(device, kernel) });
  return device.createBindGroup({
    label: kernel.label,
    layout: pipeline.getBindGroupLayout(0),
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });
}

/** A text as pipelines share it: comments, which hold the shapes of tensors, make no difference. */
export const sharedText = (code: string): string => code.replace(/ *\/\/.*$/gm, '');

function assertPipeline(
  device: GPUDevice,
  { label, code }: Kernel,
  pipeline: GPUComputePipeline,
): void {
  const origin = origins.get(pipeline);
  if (!origin) return; // made without `compile`
  const isOwn = origin.code === code || sharedText(origin.code) === sharedText(code);
  assert(isOwn, `${label}: the pipeline was compiled from another kernel's text`);
  assert(origin.device === device, `${label}: the pipeline was compiled for another device`);
}

/** The buffers in the order of the binding table, checked. */
function resourcesOf(
  device: GPUDevice,
  { label, bindings }: Kernel,
  buffers: Readonly<Record<string, GPUBufferBinding>>,
): GPUBufferBinding[] {
  assertNames(label, 'binding', buffers, Object.keys(bindings));
  const taken: { name: string; role: Role; buffer: GPUBuffer; begin: number; end: number }[] = [];
  return Object.entries(bindings).map(([name, binding]) => {
    const given = buffers[name];
    const where = `${label}: "${name}"`;
    assert(
      given?.buffer instanceof GPUBuffer,
      `${where} expected { buffer: GPUBuffer } of ${byteLength(binding)} bytes, got ${what(given)}`,
    );
    const [begin, end] = rangeOf(device, where, binding, given);
    const { buffer } = given;
    const { role } = binding;
    const other = taken.find((t) => t.buffer === buffer && clash(t, { role, begin, end }));
    assert(!other, `${where} and "${other?.name}" are one buffer, and one of them is written`);
    taken.push({ name, role, buffer, begin, end });
    return given;
  });
}

const what = (given: unknown): string =>
  given instanceof GPUBuffer ? 'the buffer itself' : shown(given);

interface Use {
  readonly role: Role;
  readonly begin: number;
  readonly end: number;
}

/** WebGPU forbids a buffer that is read and written in one dispatch, and ranges written twice. */
const clash = (a: Use, b: Use): boolean =>
  a.role !== 'in' && b.role !== 'in' ? a.begin < b.end && b.begin < a.end : a.role !== b.role;

/** First byte and end of what is bound of a buffer. */
function rangeOf(
  { limits }: GPUDevice,
  where: string,
  binding: Binding,
  { buffer, offset = 0, size = buffer.size - offset }: GPUBufferBinding,
): readonly [begin: number, end: number] {
  const alignment = limits.minStorageBufferOffsetAlignment;
  const least = byteLength(binding);
  const most = limits.maxStorageBufferBindingSize;
  assert(
    (buffer.usage & GPUBufferUsage.STORAGE) !== 0,
    `${where} expected a buffer with the usage STORAGE, got usage ${buffer.usage}`,
  );
  assert(
    Number.isInteger(offset) && offset >= 0 && offset % alignment === 0,
    `${where} expected an offset that is a multiple of ${alignment}, got ${shown(offset)}`,
  );
  assert(
    Number.isInteger(size) && size % 4 === 0 && offset + size <= buffer.size,
    `${where} expected a size that is a multiple of 4 and ends within the buffer's ${buffer.size} bytes, got ${shown(size)} from ${offset}`,
  );
  assert(
    size >= least,
    `${where} expected at least ${least} bytes for ${binding.dtype}[${binding.shape}], got ${size}`,
  );
  assert(size <= most, `${where} expected at most ${most} bytes on this device, got ${size}`);
  return [offset, offset + size];
}

function uniform(device: GPUDevice, { label, sizes = {} }: Kernel): GPUBuffer {
  const values = Uint32Array.from(Object.values(sizes));
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label: `${label} sizes`, size: values.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, values);
  return buffer;
}
