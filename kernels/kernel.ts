/** What the makers of kernels share: limits, declarations, checks and grids; and the types of a kernel. */
import type { Bindings, Dispatch, DType, Feature, Sizes, Variant } from './types.ts';

export type * from './types.ts';

type Grid = Dispatch['workgroups'];

/** Products of small matrices by a whole subgroup, as Dawn and Chrome have them; not in WebGPU yet. */
export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix';

/** The variant that runs on every device. */
export const PORTABLE: Variant = { reduce: 'workgroup', f16: false };

/** Most workgroups in one dimension of a dispatch (WebGPU default limit). */
export const MAX_WORKGROUPS = 65535;

/** Most bytes of workgroup memory a kernel may use (WebGPU default limit). */
export const MAX_WORKGROUP_BYTES = 16384;

/** Whether each value is a word of its own. */
export const isWord = (dtype: DType): dtype is 'f32' | 'u32' | 'i32' => dtype.endsWith('32');

/**
 * WGSL declarations for a binding table, in order, all in group 0. Each tensor's line ends with its dtype and
 * shape, or with the axes by name that are given.
 */
export const declare = (bindings: Bindings, axes?: Readonly<Record<string, string>>): string =>
  Object.entries(bindings)
    .map(([name, { role, dtype, element = isWord(dtype) ? dtype : 'u32', shape }], i) => {
      const access = role === 'in' ? 'read' : 'read_write';
      return `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${element}>; // ${dtype} [${axes?.[name] ?? shape.join(', ')}]`;
    })
    .join('\n');

/** The same of a kernel with sizes, which come after it: many shapes share its text, so axes have names. */
export const declareSized = (
  bindings: Bindings,
  sizes: Sizes,
  axes: Readonly<Record<string, string>>,
): string => `${declare(bindings, axes)}
struct Sizes {
${Object.keys(sizes)
  .map((name) => `  ${name}: u32,\n`)
  .join('')}}
@group(0) @binding(${Object.keys(bindings).length}) var<uniform> sizes: Sizes;`;

/** The directives a kernel's text must begin with. */
export function enable(features: readonly Feature[]): string {
  return features
    .map((f) =>
      f === MATRIX_FEATURE
        ? // What a subgroup does alike is no error, which older analyses cannot see.
          `enable ${f.replaceAll('-', '_')};\ndiagnostic(off, chromium.subgroup_matrix_uniformity);`
        : `enable ${f === 'shader-f16' ? 'f16' : f};`,
    )
    .join('\n');
}

/** Throws a RangeError unless the condition holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RangeError(message);
}

/** Throws a RangeError that names the first value that is not a positive integer. */
export function assertSizes(kernel: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(sizes)) {
    assert(
      Number.isInteger(value) && value > 0,
      `${kernel}: "${name}" expected a positive integer, got ${value}`,
    );
  }
}

/** 0 .. n - 1, for unrolling text. */
export const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** Ceiling of a / b. */
export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);

/**
 * Spreads n workgroups over two dimensions so that none exceeds the limit. The kernel rebuilds the
 * flat index as `group.y * ${x} + group.x` and returns past the end.
 */
export function grid(n: number): Grid {
  const y = ceilDiv(n, MAX_WORKGROUPS);
  return [ceilDiv(n, y), y, 1];
}

/**
 * The grid of a kernel whose dimensions are sizes of its own.
 * @param what Kernel and sizes.
 * @throws RangeError when one exceeds the limit.
 */
export function assertGrid(what: string, workgroups: Grid): Grid {
  assert(
    Math.max(...workgroups) <= MAX_WORKGROUPS,
    `${what}: a grid of ${workgroups.join(' x ')} workgroups is too large, at most ${MAX_WORKGROUPS} are possible in a dimension`,
  );
  return workgroups;
}
