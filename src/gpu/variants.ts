/** The one place that chooses kernel variants and storage types from what an adapter can do. */
import type { MatrixConfig, TableDType, Variant } from '../../kernels/kernel.ts';
import { knownMatrices } from './matrices.ts';

/** What the choice depends on. */
export interface AdapterFacts {
  /** The adapter runs on the CPU. */
  readonly software: boolean;
  readonly subgroups: boolean;
  /** Least invocations of a subgroup; 4 where the adapter does not say. */
  readonly lanes: number;
  /** Most invocations of a workgroup in one dimension; 256 where the adapter does not say. */
  readonly invocations?: number | undefined;
  /** Most bytes of workgroup memory; 16384 where the adapter does not say. */
  readonly workgroupBytes?: number | undefined;
  readonly shaderF16: boolean;
  /** Matrices of subgroups that sum in f32, where `findMatrices` has found any. */
  readonly matrix?: MatrixConfig | undefined;
}

/** Whether an adapter computes on the CPU: it says that it is a fallback, or is known to be one. */
export const isSoftware = ({ isFallbackAdapter, architecture }: GPUAdapterInfo): boolean =>
  isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(architecture);

/** Facts about a device; `software` when its adapter says that it is a fallback. */
export function adapterFacts(device: GPUDevice): AdapterFacts {
  const { subgroupMinSize = 4 } = device.adapterInfo;
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = device.limits;
  return {
    software: isSoftware(device.adapterInfo),
    subgroups: device.features.has('subgroups'),
    lanes: subgroupMinSize,
    invocations: Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX),
    workgroupBytes: device.limits.maxComputeWorkgroupStorageSize,
    shaderF16: device.features.has('shader-f16'),
    matrix: knownMatrices(device)?.config,
  };
}

/**
 * Software adapters take kernels without barriers, which run several times faster there; others
 * reduce with subgroup operations where they are, else through workgroup memory, and have leave to
 * multiply halves, which the precision `exact` takes back.
 */
export function chooseVariant(facts: AdapterFacts): Variant {
  const { software, subgroups, shaderF16, lanes, invocations, workgroupBytes, matrix } = facts;
  const shared = subgroups ? 'subgroup' : 'workgroup';
  const reduce = software ? 'serial' : shared;
  return {
    ...{ reduce, f16: shaderF16, matrix },
    ...(subgroups && { lanes }),
    ...(!software && { halves: true }),
    ...(!software && invocations !== undefined && { invocations }),
    ...(!software && workgroupBytes !== undefined && { workgroupBytes }),
  };
}

/** The variant of kernels on a device, unless a caller asks for another; with matrices after `findMatrices`. */
export const variantOf = (device: GPUDevice): Variant => chooseVariant(adapterFacts(device));

/**
 * Storage on the device of weights that are stored as `file`. They stay as they are, bit for bit,
 * except on software adapters: there unpacking costs more than the bytes it saves (a swiglu of 2 rows,
 * 256 to 768, takes 0.58 ms from f32 and 1.00 ms from f16 on SwiftShader, 2 cores), and f32 holds both
 * f16 and bf16 exactly.
 */
export function chooseWeightDtype({ software }: AdapterFacts, file: TableDType): TableDType {
  return software ? 'f32' : file;
}

/** The largest weight that can be bound in one piece; larger ones are cut into parts. */
export const bindingLimit = ({ limits }: Pick<GPUDevice, 'limits'>): number =>
  Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
