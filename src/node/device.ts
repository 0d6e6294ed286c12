/** Opens a WebGPU device in Node: the system's driver when Dawn accepts one, else SwiftShader. */
import type { Variant } from '../../kernels/kernel.ts';
import { DeviceError, OptionError } from '../errors.ts';
import { deviceDescriptor } from '../gpu/device.ts';
import { findMatrices } from '../gpu/find-matrices.ts';
import { adapterFacts, isSoftware, variantOf } from '../gpu/variants.ts';
import { catchStrayErrors } from '../gpu/watch.ts';
import { knownTiles } from '../ops/known-adapters.ts';
import type { Tiles } from '../ops/tiles.ts';
import { parseVariant } from '../ops/variant-words.ts';
import { withTuned } from '../tune/table.ts';
import { keepInstance } from './dawn-instance.ts';
import { askGently } from './dawn-polling.ts';
import { unpackSwiftshader } from './swiftshader.ts';
import { readTiles, type TunedTiles } from './tiles-file.ts';
import { openUnvalidated, type Unvalidated } from './unvalidated.ts';
import { hasGpu, loadVulkan, systemDrivers, withDriver } from './vulkan.ts';

const ADAPTERS = ['auto', 'system', 'swiftshader'] as const;

/**
 * Which adapter to use.
 * - auto: the system's, and SwiftShader where the system has none that Dawn accepts.
 * - system: only the system's.
 * - swiftshader: only SwiftShader.
 */
export type AdapterChoice = (typeof ADAPTERS)[number];

export interface OpenOptions {
  /** Default: the variable `LLAMAGEN_ADAPTER`, else `auto`. */
  readonly adapter?: AdapterChoice | undefined;
  /**
   * Keep Dawn's bounds checks in shaders. Default: whether the variable `LLAMAGEN_ROBUST` is 1.
   * Off, because this project's kernels are trusted and their sizes are checked when a graph is built.
   */
  readonly robust?: boolean | undefined;
  /**
   * Have Dawn validate every call. Off, JavaScript spends half the time on a dispatch: kernels are then
   * compiled by a device with validation first, once for each adapter, driver and version, and this
   * project checks its own calls; calls of yours that are wrong may end the process. Software adapters
   * are validated always. Default true. The variable `LLAMAGEN_VALIDATION` is stronger: 0 leaves it out
   * on any adapter, 1 keeps it.
   */
  readonly validation?: boolean | undefined;
  /** Read the tiles that "llamagen tune" measured on this adapter. Default true. */
  readonly tuned?: boolean | undefined;
}

/** How kernels are made on a device; what the variable LLAMAGEN_VARIANT forces is in it. */
export interface KernelChoices {
  readonly variant: Variant;
  /** What was measured on the adapter, by its user or before, or forced. */
  readonly tiles: Tiles;
}

export interface NodeDevice {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
  /** Lines a user should see, such as why the software adapter was taken. */
  readonly notes: readonly string[];
  /** The flags Dawn was made with, but for validation, which changes no result. */
  readonly toggles: readonly string[];
  /** Whether Dawn validates every call. */
  readonly validation: boolean;
  /** Whether the adapter computes on the CPU. */
  readonly software: boolean;
  /** What was measured on it before; undefined when not asked for. */
  readonly tuned?: TunedTiles | undefined;
  /** For `loadModel`. */
  readonly kernels: KernelChoices;
  /** Destroys the device, so that the process can exit. */
  close(): void;
}

/** Dawn's instances, one for each driver and set of flags. */
const instances = new Map<string, GPU>();

/**
 * Opens a device with every optional feature this project uses, and defines the WebGPU globals. Errors
 * on it that nobody catches are said on standard error, and reject what runs on it or runs next.
 *
 * On a software adapter the global `setImmediate` is another function until the device is closed, which has
 * Dawn ask once a millisecond whether work is done (`askGently`).
 *
 * Open one and keep it; models come and go on it. Of a closed device no object stays, but its memory
 * does not all go back to the system: threads of Dawn and SwiftShader allocate in arenas of their own,
 * which glibc keeps and fills again. Seven to ten times load, generate and close of fruits-96 on
 * SwiftShader left a process (Node 20, 2 cores) at 290 to 510 MB, up and down, with a device each
 * time; at 372 MB with one device for all; at 233 to 291 MB with MALLOC_ARENA_MAX=1 in the environment.
 * @throws DeviceError (`no-adapter`) that names what to install; OptionError for an unknown adapter, or a
 * variable that is not what it should be.
 */
export async function openDevice(options: OpenOptions = {}): Promise<NodeDevice> {
  const choice = options.adapter ?? (process.env.LLAMAGEN_ADAPTER || 'auto');
  if (!isChoice(choice)) {
    throw new OptionError(
      `"adapter" (LLAMAGEN_ADAPTER) expected ${ADAPTERS.join(', ')}, got "${choice}"`,
    );
  }
  const validation = forcedValidation();
  const { LLAMAGEN_VARIANT } = process.env;
  const forced = LLAMAGEN_VARIANT ? parseVariant(LLAMAGEN_VARIANT) : undefined;
  const { create, globals } = await importDawn();
  Object.assign(globalThis, globals);
  const robust = options.robust ?? process.env.LLAMAGEN_ROBUST === '1';
  const toggles = dawnToggles(robust);
  const instance =
    (flags: readonly string[]) =>
    (driver: Driver): GPU => {
      const key = [driver, ...flags].join(' ');
      const gpu = instances.get(key) ?? keepInstance(create([...flags]));
      instances.set(key, gpu);
      return gpu;
    };
  const found = await requestAdapter(instance(toggles), choice);
  try {
    const isValidated = validation ?? !withoutValidation(options, found.adapter);
    const other = !isValidated
      ? await requestAdapter(instance(dawnToggles(robust, ['skip_validation'])), choice)
      : undefined;
    const fast = other && isSame(other.adapter.info, found.adapter.info) && other.adapter;
    const opened = fast
      ? await openUnvalidated({ validating: found.adapter, fast, toggles })
      : await openValidated(found.adapter);
    const { device, matrices, close } = opened;
    catchStrayErrors(device, toStandardError);
    const variant = { ...variantOf(device), ...forced?.variant };
    const isTuned = options.tuned ?? true;
    const tuned = isTuned ? await readTiles(device, toggles, variant) : undefined;
    const measured = withTuned(knownTiles(device.adapterInfo, variant), tuned?.tuned ?? {});
    const notes = [...found.notes, matrices.note, tuned?.note];
    const { software } = adapterFacts(device);
    const endAsking = software ? askGently() : () => {};
    return {
      device,
      adapter: found.adapter,
      notes: notes.filter((note) => note !== undefined),
      tuned,
      kernels: { variant, tiles: { ...measured, ...forced?.tiles } },
      toggles,
      validation: !fast,
      software,
      close: () => {
        endAsking();
        close();
      },
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError('no-adapter', `the adapter gives no device: ${reason}`, { cause });
  }
}

/** Software adapters compute on the same processor: what JavaScript saves is nothing beside that. */
function withoutValidation({ validation }: OpenOptions, { info }: GPUAdapter): boolean {
  return validation === false && !isSoftware(info);
}

/** What the environment says of validation, on any adapter. */
function forcedValidation({ LLAMAGEN_VALIDATION: said = '' } = process.env): boolean | undefined {
  if (!['', '0', '1'].includes(said)) {
    throw new OptionError(`LLAMAGEN_VALIDATION expected 0 or 1, got "${said}"`);
  }
  return said === '' ? undefined : said === '1';
}

/** Of several GPUs another instance of Dawn might take another. */
const isSame = (a: GPUAdapterInfo, b: GPUAdapterInfo): boolean =>
  (['vendor', 'architecture', 'device', 'description'] as const).every((key) => a[key] === b[key]);

async function openValidated(adapter: GPUAdapter): Promise<Unvalidated> {
  const device = await adapter.requestDevice(deviceDescriptor(adapter));
  return { device, matrices: await findMatrices(device), close: () => device.destroy() };
}

/**
 * Dawn would print the error to standard output. Not a closure of `openDevice`: Dawn keeps listeners
 * until the device is collected, which one that holds the device would prevent.
 */
function toStandardError(event: GPUUncapturedErrorEvent): void {
  event.preventDefault();
  console.error(`WebGPU: ${event.error.message}`);
}

function isChoice(choice: string): choice is AdapterChoice {
  return (ADAPTERS as readonly string[]).includes(choice);
}

/** @param more Further features to enable. Of two flags of one name Dawn takes the last. */
function dawnToggles(robust: boolean, more: readonly string[] = []): readonly string[] {
  const enabled = ['vulkan_enable_f16_on_nvidia', 'allow_unsafe_apis', ...more];
  if (!robust) enabled.push('disable_robustness');
  return [
    `enable-dawn-features=${enabled.join(',')}`,
    'disable-dawn-features=timestamp_quantization',
  ];
}

async function importDawn(): Promise<typeof import('webgpu')> {
  try {
    return await import('webgpu');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new DeviceError(
      'no-adapter',
      `WebGPU for Node does not load on ${process.platform}-${process.arch} (${reason}): run "npm install webgpu"`,
      { cause },
    );
  }
}

type Driver = 'system' | 'swiftshader';

interface Found {
  readonly adapter: GPUAdapter;
  readonly notes: readonly string[];
}

/** Why the system's adapter cannot be used, once that is known. */
let systemRefusal: string | undefined;

async function requestAdapter(
  instance: (driver: Driver) => GPU,
  choice: AdapterChoice,
): Promise<Found> {
  const swiftshader = () => swiftshaderAdapter(instance('swiftshader'));
  if (choice === 'swiftshader') return { adapter: await swiftshader(), notes: [] };
  // Asked once: Dawn prints warnings each time that it refuses a driver.
  systemRefusal ??= systemProblem();
  if (systemRefusal === undefined) {
    const adapter = await tryAdapter(instance('system'));
    if (adapter) return { adapter, notes: [] };
    systemRefusal = refusal();
  }
  const why = systemRefusal;
  if (choice === 'system') throw new DeviceError('no-adapter', `${why}; ${advice()}`);
  try {
    const hint = hasGpu() ? `; to use the GPU that is here, ${advice()}` : '';
    const note = `using the software adapter SwiftShader: ${why}${hint}`;
    return { adapter: await swiftshader(), notes: [note] };
  } catch (cause) {
    if (!(cause instanceof DeviceError)) throw cause;
    const message = `no WebGPU adapter: ${why}; ${cause.message}; ${advice()}`;
    throw new DeviceError('no-adapter', message, { cause });
  }
}

async function swiftshaderAdapter(gpu: GPU): Promise<GPUAdapter> {
  const { loader, icd } = unpackSwiftshader();
  systemLoader ??= loadVulkan('libvulkan.so.1');
  if (!systemLoader) loadVulkan(loader);
  const adapter = await withDriver(icd, () => tryAdapter(gpu));
  if (!adapter) throw new DeviceError('no-adapter', 'Dawn does not accept SwiftShader here');
  return adapter;
}

/** Whether the system has a Vulkan loader; asked once, before another loader can be in its place. */
let systemLoader: boolean | undefined;

/** Why asking Dawn for the system's adapter is pointless, or undefined. */
function systemProblem(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  systemLoader ??= loadVulkan('libvulkan.so.1');
  if (systemLoader) return undefined;
  if (systemDrivers().length === 0) return 'this system has no Vulkan loader and no Vulkan driver';
  // A driver without a loader, as in many containers: the loader that ships with SwiftShader serves.
  try {
    loadVulkan(unpackSwiftshader().loader);
    return undefined;
  } catch (error) {
    return `this system has no Vulkan loader (${error instanceof Error ? error.message : error})`;
  }
}

function refusal(): string {
  if (process.platform !== 'linux') return 'Dawn found no GPU that it accepts';
  const drivers = systemDrivers();
  return drivers.length > 0
    ? `Dawn accepts no adapter of the system's Vulkan drivers (${drivers.join(', ')})`
    : 'this system has no Vulkan driver';
}

function advice(): string {
  if (process.platform === 'linux') {
    return "install the GPU's Vulkan driver and loader (Debian, Ubuntu: libvulkan1 and mesa-vulkan-drivers, or NVIDIA's driver)";
  }
  if (process.platform === 'win32') return 'install a GPU driver with Direct3D 12';
  if (process.platform === 'darwin') return 'a Mac with Metal and macOS 12 or newer is needed';
  return 'a GPU with a Vulkan driver is needed';
}

/** Dawn lists the adapters before this returns its promise. */
async function tryAdapter(gpu: GPU): Promise<GPUAdapter | undefined> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  // The null backend accepts everything and computes nothing.
  return adapter && adapter.info.device !== 'null-backend' ? adapter : undefined;
}
