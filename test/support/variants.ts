/** The variants of kernels that a device can run. */
import type { Kernel, Variant } from '../../kernels/kernel.ts';

/** Every variant, the portable ones first. */
export const VARIANTS: readonly Variant[] = [false, true].flatMap((f16) =>
  (['serial', 'workgroup', 'subgroup'] as const).map((reduce) => ({ reduce, f16 })),
);

/** The variants that read no native halves: all there are for kernels without f16 tensors. */
export const F32_VARIANTS: readonly Variant[] = VARIANTS.filter(({ f16 }) => !f16);

/** A name for test titles, e.g. `serial` or `workgroup f16`. */
export const variantName = ({ reduce, f16 }: Variant): string => `${reduce}${f16 ? ' f16' : ''}`;

/** Whether the device was created with the features that the kernel needs. */
export const runnable = (device: GPUDevice, kernel: Kernel): boolean =>
  (kernel.features ?? []).every((feature) => device.features.has(feature));

/** Those of `variants` that the device has the features for. */
export const deviceVariants = (
  device: GPUDevice,
  variants: readonly Variant[] = VARIANTS,
): readonly Variant[] =>
  variants.filter(
    ({ reduce, f16 }) =>
      (reduce !== 'subgroup' || device.features.has('subgroups')) &&
      (!f16 || device.features.has('shader-f16')),
  );
