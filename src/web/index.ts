/** `llamagen-webgpu/web`: the core, with adapter and files for browsers. */
export * from '../index.ts';
export { openWebDevice, type WebDevice, type WebDeviceOptions } from './device.ts';
export { openUrl, type UrlOptions } from './files.ts';
export { type EstimateOptions, estimateSource } from './store/estimate.ts';
export type { HubOptions } from './store/hub-origin.ts';
export { openModelStore, type StoreOptions } from './store/store.ts';
export type {
  ModelSource,
  ModelStore,
  OpenOptions,
  SourceEstimate,
  StoredModel,
  StoreKind,
  StoreProgress,
  StoreUsage,
} from './store/types.ts';
