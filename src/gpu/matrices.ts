/** Matrices of subgroups: which ones a device may have, and what is known of those it has. */
import type { MatrixConfig, MatrixSizes } from '../../kernels/kernel.ts';

/** What was found out about a device. */
export interface Matrices {
  /** Those to use: they multiply as they should. */
  readonly config?: MatrixConfig | undefined;
  /** A line for the user: why the device's matrices are not used. */
  readonly note?: string | undefined;
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
 * Sizes that hardware has, as `m, n, k`: NVIDIA and AMD the first, Apple the second, Intel the fourth.
 * Tried in this order on devices that list none, such as those of Dawn in Node.
 */
const USUAL: Readonly<Record<MatrixSizes['operand'], readonly (readonly number[])[]>> = {
  f16: [
    [16, 16, 16],
    [8, 8, 8],
    [16, 8, 16],
    [8, 16, 16],
    [16, 8, 8],
  ],
  f32: [[8, 8, 8]],
};
const OPERANDS = ['f16', 'f32'] as const;

/**
 * Matrices worth trying, best first: those that an adapter lists, else the usual ones; products of
 * halves before those of f32, sums always in f32. None where halves are summed in halves, which sums of
 * thousands do not bear.
 */
export function matrixSizes(info: MatrixInfo): MatrixSizes[] {
  const { subgroupMaxSize: lanes, subgroupMatrixConfigs = [] } = info;
  if (!lanes) return [];
  const all = [...subgroupMatrixConfigs];
  const summed = all.filter((c) => c.resultComponentType === 'f32');
  return OPERANDS.flatMap((operand) => {
    const listed = summed.filter((c) => c.componentType === operand).map((c) => [c.M, c.N, c.K]);
    const sizes = all.length > 0 ? listed : USUAL[operand];
    return sizes.map(([m = 0, n = 0, k = 0]) => ({ m, n, k, operand, lanes }));
  });
}

const known = new WeakMap<GPUDevice, Matrices>();

/** What is known of a device's matrices; undefined before `findMatrices` has looked. */
export const knownMatrices = (device: GPUDevice): Matrices | undefined => known.get(device);

/** Keeps what was found out about a device, or about another one of the same adapter. */
export const knowMatrices = (device: GPUDevice, matrices: Matrices): void => {
  known.set(device, matrices);
};
