/**
 * `llamagen-webgpu/profile`: what a run's time went to. An entry of its own, so that pages that do not
 * ask need not carry it.
 */
export { type DeviceLimits, floorUs, measureLimits } from './gpu/limits.ts';
export { type KernelTime, shareOfFloor } from './gpu/profile.ts';
export { Profiler, type ProgramProfile } from './gpu/profiler.ts';
