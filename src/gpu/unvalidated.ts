/**
 * Devices that Dawn does not validate on (its toggle `skip_validation`, a property of a whole device):
 * JavaScript's share of a dispatch is then half. What is left out is checked here where it is rare, in
 * the same words and through the same error scopes: buffers for a use that no buffer has; buffers, and
 * textures that are copied to, which are gone or of another device. Programs (program.ts) and pipelines (pipelines.ts) do their part. Dawn goes on
 * checking texts and writes of the queue, and a device that was destroyed takes nothing.
 */
import type { Kernel } from '../../kernels/kernel.ts';

/**
 * Has a device that validates compile a kernel, which then can be compiled on one that does not.
 * @throws What `compile` throws.
 */
export type Accept = (kernel: Kernel) => Promise<void>;

interface Scope {
  readonly filter: GPUErrorFilter;
  error?: GPUError | undefined;
}

/** What a guard knows of one of its device's buffers. */
type State = 'ready' | 'refused' | 'destroyed';

const guards = new WeakMap<GPUDevice, Guard>();
/** By buffer, because a device may be handed on behind a proxy. */
const owners = new WeakMap<GPUBuffer, Guard>();

class Guard {
  readonly accept: Accept;
  readonly #device: GPUDevice;
  readonly #states = new WeakMap<GPUBuffer | GPUTexture, State>();
  readonly #scopes: Scope[] = [];
  /** Goes up with each buffer that can be used no more. */
  changes = 0;

  constructor(device: GPUDevice, accept: Accept) {
    this.#device = device;
    this.accept = accept;
  }

  /** Puts the checks in the place of the device's own methods. */
  install(): void {
    const device = this.#device;
    const own = {
      pushErrorScope: device.pushErrorScope.bind(device),
      popErrorScope: device.popErrorScope.bind(device),
      createBuffer: device.createBuffer.bind(device),
      createTexture: device.createTexture.bind(device),
      createBindGroup: device.createBindGroup.bind(device),
      createCommandEncoder: device.createCommandEncoder.bind(device),
    };
    device.pushErrorScope = (filter) => {
      this.#scopes.push({ filter });
      return own.pushErrorScope(filter);
    };
    device.popErrorScope = () => {
      const scope = this.#scopes.pop();
      return own.popErrorScope().then((error) => error ?? scope?.error ?? null);
    };
    device.createBuffer = (descriptor) => this.#buffer(descriptor, own.createBuffer);
    device.createTexture = (descriptor) => {
      const texture = own.createTexture(descriptor);
      this.#follow(texture, 'ready');
      return texture;
    };
    device.createBindGroup = (descriptor) => {
      const bound = [...descriptor.entries].flatMap(({ resource }) => buffersIn(resource));
      if (bound.every((buffer) => this.#isOwn(buffer))) return own.createBindGroup(descriptor);
      const layout = device.createBindGroupLayout({ entries: [] });
      return own.createBindGroup({ layout, entries: [] });
    };
    device.createCommandEncoder = (descriptor) =>
      this.#encoder(own.createCommandEncoder(descriptor));
  }

  /** Whether commands may use buffers and textures; an error where not. */
  mayUse(all: Iterable<GPUBuffer | GPUTexture>): boolean {
    for (const one of all) {
      if (!this.#isOwn(one)) return false;
      if (this.#states.get(one) !== 'destroyed') continue;
      this.#report(`${nameOf(one)} used in submit while destroyed.`);
      return false;
    }
    return true;
  }

  #buffer(
    descriptor: GPUBufferDescriptor,
    create: (descriptor: GPUBufferDescriptor) => GPUBuffer,
  ): GPUBuffer {
    const most = this.#device.limits.maxBufferSize;
    const problem = usageProblem(descriptor.usage) ?? sizeProblem(descriptor.size, most);
    const { label = '', size } = descriptor;
    const none = { label, size: Math.min(size, most), usage: GPUBufferUsage.STORAGE };
    const buffer = create(problem ? none : descriptor);
    this.#follow(buffer, problem ? 'refused' : 'ready');
    owners.set(buffer, this);
    if (problem) this.#report(`${nameOf(buffer)}: ${problem}`);
    return buffer;
  }

  /** Keeps in mind what becomes of a buffer or a texture. */
  #follow(one: GPUBuffer | GPUTexture, state: State): void {
    this.#states.set(one, state);
    const destroy = one.destroy.bind(one);
    one.destroy = (): undefined => {
      if (state === 'ready') this.#states.set(one, 'destroyed');
      this.changes++;
      destroy();
    };
  }

  /** Whether a buffer or a texture was made on this device; an error where not. */
  #isOwn(one: GPUBuffer | GPUTexture): boolean {
    const state = this.#states.get(one);
    if (state === 'ready' || state === 'destroyed') return true;
    const why = state ? 'is invalid' : 'is of another device and cannot be used with this one';
    this.#report(`${nameOf(one)} ${why}.`);
    return false;
  }

  /** Checks the buffers of copies; a pass is checked by the program that fills it. */
  #encoder(encoder: GPUCommandEncoder): GPUCommandEncoder {
    const copy = encoder.copyBufferToBuffer.bind(encoder) as (...args: unknown[]) => undefined;
    const copyToTexture = encoder.copyBufferToTexture.bind(encoder);
    const resolve = encoder.resolveQuerySet.bind(encoder);
    encoder.copyBufferToBuffer = (...args: unknown[]): undefined => {
      const buffers = args.filter((arg) => arg instanceof GPUBuffer);
      if (this.mayUse(buffers) && this.#fits(args)) copy(...args);
    };
    encoder.copyBufferToTexture = (from, to, size) => {
      if (this.mayUse([from.buffer, to.texture])) copyToTexture(from, to, size);
    };
    encoder.resolveQuerySet = (set, first, count, to, offset) => {
      if (this.mayUse([to])) resolve(set, first, count, to, offset);
    };
    return encoder;
  }

  /** Whether a copy `from, offset, to, offset, size` stays inside both; an error where not. */
  #fits([from, fromOffset, to, toOffset, size]: readonly unknown[]): boolean {
    if (!(from instanceof GPUBuffer && to instanceof GPUBuffer)) return true; // of whole buffers
    for (const [buffer, offset] of [[from, fromOffset] as const, [to, toOffset] as const]) {
      const end = Number(offset) + Number(size);
      if (Number(offset) >= 0 && end <= buffer.size && (end | Number(size)) % 4 === 0) continue;
      this.#report(`Copy range ${offset} to ${end} is not within ${nameOf(buffer)}.`);
      return false;
    }
    return true;
  }

  #report(message: string): void {
    const error = new GPUValidationError(message);
    const scope = this.#scopes.findLast(({ filter }) => filter === 'validation');
    if (scope) scope.error ??= error;
    else this.#device.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error }));
  }
}

const nameOf = (one: GPUBuffer | GPUTexture): string =>
  `[${one instanceof GPUBuffer ? 'Buffer' : 'Texture'} "${one.label}"]`;

const buffersIn = (resource: GPUBindingResource): GPUBuffer[] =>
  'buffer' in resource && resource.buffer instanceof GPUBuffer ? [resource.buffer] : [];

/** What the host maps can be copied to or from, and nothing else. */
function usageProblem(usage: GPUBufferUsageFlags): string | undefined {
  const { MAP_READ, MAP_WRITE, COPY_DST, COPY_SRC } = GPUBufferUsage;
  for (const [map, partner] of [
    [MAP_READ, COPY_DST],
    [MAP_WRITE, COPY_SRC],
  ] as const) {
    if ((usage & map) !== 0 && (usage & ~(map | partner)) !== 0) {
      return `usage ${usage} maps a buffer that is used for more than copies`;
    }
  }
  return usage === 0 ? 'usage 0 is none' : undefined;
}

const sizeProblem = (size: number, most: number): string | undefined =>
  size > most ? `its ${size} bytes are more than the ${most} of this device` : undefined;

/**
 * Checks in TypeScript what a device does not validate.
 * @param accept Is asked before a kernel is compiled on it.
 */
export function guardDevice(device: GPUDevice, accept: Accept): void {
  const guard = new Guard(device, accept);
  guard.install();
  guards.set(device, guard);
}

/** Resolves when a kernel may be compiled on a device: at once on one that validates by itself. */
export const accepted = (device: GPUDevice, kernel: Kernel): Promise<void> =>
  guards.get(device)?.accept(kernel) ?? Promise.resolve();

/**
 * A check whether buffers can be used still, for before each use of them: where not, an error of the
 * device. It looks at them again only when some buffer was destroyed since.
 */
export function usableCheck(buffers: ReadonlySet<GPUBuffer>): () => boolean {
  const [guard] = [...buffers].flatMap((buffer) => owners.get(buffer) ?? []);
  if (!guard) return () => true; // the device validates
  let seen = -1;
  return () => {
    if (seen === guard.changes) return true;
    const usable = guard.mayUse(buffers);
    seen = usable ? guard.changes : -1;
    return usable;
  };
}
