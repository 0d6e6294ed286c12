/** One place for the limits and features asked of an adapter. */

const WANTED_FEATURES = ['subgroups', 'shader-f16', 'timestamp-query'] as const;

const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
] as const;

/** A device descriptor with every optional feature this project uses and the adapter has. */
export function deviceDescriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  return {
    label: 'llamagen',
    requiredFeatures: WANTED_FEATURES.filter((f) => adapter.features.has(f)),
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((l) => [l, adapter.limits[l]])),
  };
}
