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

/**
 * Storage of a decoder's matrices on the device. f16 files stay f16, bit for bit, except on software
 * adapters: there unpacking costs more than the bytes it saves (a swiglu of 2 rows, 256 to 768, takes
 * 0.58 ms from f32 and 1.00 ms from f16 on SwiftShader, 2 cores). All else is f32, which holds bf16
 * exactly and cannot overflow.
 */
export function chooseWeightDtype({ software }: AdapterFacts, f16File: boolean): 'f32' | 'f16' {
  return f16File && !software ? 'f16' : 'f32';
}
