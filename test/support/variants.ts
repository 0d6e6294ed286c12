/** The variants of kernels that a device can run. */
import type { Kernel, Variant } from '../../kernels/kernel.ts';

/** Every variant, the portable ones first. */
export const VARIANTS: readonly Variant[] = [
  { reduce: 'serial', f16: false },
  { reduce: 'workgroup', f16: false },
  { reduce: 'subgroup', f16: false, lanes: 4 },
];

/** A software adapter with subgroups: products and the sampler use them, all else is as under `serial`. */
export const SERIAL_LANES: Variant = { reduce: 'serial', f16: false, lanes: 4 };

/** The variants of what draws tokens. */
export const SAMPLER_VARIANTS: readonly Variant[] = [...VARIANTS, SERIAL_LANES];

/** Workgroups of fewer and of more subgroups than a sampler has by default; more need a GPU. */
export const SAMPLER_GROUPS: readonly Variant[] = [
  { reduce: 'subgroup', f16: false, lanes: 4, invocations: 64 },
  { reduce: 'workgroup', f16: false, invocations: 128 },
];

/** A name for test titles, e.g. `serial` or `workgroup f16`. */
export const variantName = ({ reduce, lanes, f16 }: Variant): string =>
  `${reduce}${reduce === 'serial' && lanes ? ' lanes' : ''}${f16 ? ' f16' : ''}`;

/** Whether the device was created with the features that the kernel needs. */
export const runnable = (device: GPUDevice, kernel: Kernel): boolean =>
  (kernel.features ?? []).every((feature) => device.features.has(feature));

/** Those of `variants` that the device has the features for. */
export const deviceVariants = (
  device: GPUDevice,
  variants: readonly Variant[] = VARIANTS,
): readonly Variant[] =>
  variants.filter(
    ({ lanes, f16 }) =>
      (lanes === undefined || device.features.has('subgroups')) &&
      (!f16 || device.features.has('shader-f16')),
  );
