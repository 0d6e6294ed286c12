/** `llamagen-webgpu/web`: the core, with adapter and files for browsers. */
export * from '../index.ts';
export { openWebDevice, type WebDevice, type WebDeviceOptions } from './device.ts';
export { openUrl, type UrlOptions } from './files.ts';
