/** One place for the limits and features asked of an adapter. */
import { type Feature, MATRIX_FEATURE } from '../../kernels/kernel.ts';

const WANTED_FEATURES: readonly Feature[] = [
  'subgroups',
  'shader-f16',
  'timestamp-query',
  MATRIX_FEATURE,
];

const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBuffersPerShaderStage',
] as const;

/** A device descriptor with every optional feature this project uses and the adapter has. */
export function deviceDescriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  return {
    label: 'llamagen',
    // The types of WebGPU know no experimental feature.
    requiredFeatures: WANTED_FEATURES.filter((f) => adapter.features.has(f)) as GPUFeatureName[],
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((l) => [l, adapter.limits[l]])),
  };
}
