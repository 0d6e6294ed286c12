/** The one place that chooses kernel variants and storage types from what an adapter can do. */
import type { Variant } from '../../kernels/kernel.ts';

/** What the choice depends on. */
export interface AdapterFacts {
  /** The adapter runs on the CPU. */
  readonly software: boolean;
  readonly subgroups: boolean;
  readonly shaderF16: boolean;
}

/** Facts about a device; `software` when its adapter says that it is a fallback. */
export function adapterFacts(device: GPUDevice): AdapterFacts {
  const { architecture, isFallbackAdapter } = device.adapterInfo;
  return {
    software: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(architecture),
    subgroups: device.features.has('subgroups'),
    shaderF16: device.features.has('shader-f16'),
  };
}

/**
 * Software adapters take kernels without barriers, which run several times faster there; others
 * reduce with subgroup operations where they are, else through workgroup memory.
 */
export function chooseVariant({ software, subgroups, shaderF16 }: AdapterFacts): Variant {
  const shared = subgroups ? 'subgroup' : 'workgroup';
  return { reduce: software ? 'serial' : shared, f16: shaderF16 };
}
