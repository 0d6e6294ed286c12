/** The one place that chooses kernel variants and storage types from what an adapter can do. */
import {
  MATRIX_FEATURE,
  type MatrixConfig,
  type TableDType,
  type Variant,
} from '../../kernels/kernel.ts';

/** What the choice depends on. */
export interface AdapterFacts {
  /** The adapter runs on the CPU. */
  readonly software: boolean;
  readonly subgroups: boolean;
  /** Least invocations of a subgroup; 4 where the adapter does not say. */
  readonly lanes: number;
  readonly shaderF16: boolean;
  /** Matrices of subgroups that sum in f32, where there are any. */
  readonly matrix?: MatrixConfig | undefined;
}

/** What Dawn and Chrome say of matrices, which the types of WebGPU do not know. */
export interface MatrixInfo {
  readonly subgroupMaxSize?: number | undefined;
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

/**
 * The matrices to use of those an adapter lists, best first: products of halves before those of f32,
 * sums always in f32. None where halves are summed in halves, which sums of thousands do not bear.
 */
export function matrixConfig(info: MatrixInfo): MatrixConfig | undefined {
  const { subgroupMaxSize: lanes, subgroupMatrixConfigs = [] } = info;
  if (!lanes) return undefined;
  const summed = [...subgroupMatrixConfigs].filter((c) => c.resultComponentType === 'f32');
  for (const operand of ['f16', 'f32'] as const) {
    const found = summed.find(({ componentType }) => componentType === operand);
    if (found) return { m: found.M, n: found.N, k: found.K, operand, lanes };
  }
  return undefined;
}

/** Facts about a device; `software` when its adapter says that it is a fallback. */
export function adapterFacts(device: GPUDevice): AdapterFacts {
  const { architecture, isFallbackAdapter, subgroupMinSize = 4 } = device.adapterInfo;
  const matrix = device.features.has(MATRIX_FEATURE) ? matrixConfig(device.adapterInfo) : undefined;
  return {
    software: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(architecture),
    subgroups: device.features.has('subgroups'),
    lanes: subgroupMinSize,
    shaderF16: device.features.has('shader-f16'),
    matrix,
  };
}

/**
 * Software adapters take kernels without barriers, which run several times faster there; others
 * reduce with subgroup operations where they are, else through workgroup memory.
 */
export function chooseVariant(facts: AdapterFacts): Variant {
  const { software, subgroups, shaderF16, lanes, matrix } = facts;
  const shared = subgroups ? 'subgroup' : 'workgroup';
  const reduce = software ? 'serial' : shared;
  return { reduce, f16: shaderF16, ...(subgroups && { lanes }), matrix };
}

/** The variant of kernels on a device, unless a caller asks for another. */
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
